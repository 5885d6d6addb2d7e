import { expect } from 'chai';
import type { UpdateOffer } from '../../backend/contract/device-api.ts';
import type { Problem } from '../../backend/contract/problem.ts';
import type { Manifest } from '../../backend/contract/signing/manifest.ts';
import {
  CHECKSUM,
  deploymentRequest,
  openFleet,
  openServer,
  openStage,
} from '../support/ota-scenario.ts';
import type { Fleet, Stage } from '../support/ota-scenario.ts';
import { bareOf, manifestOf, newKeyPair, pemOf, signManifest } from '../support/signed-package.ts';

const release = newKeyPair();
const lost = newKeyPair();
const stranger = newKeyPair();

type Body = Parameters<typeof deploymentRequest>[0];

describe('signed packages at creation', () => {
  let stage: Stage;
  let keyed: Awaited<ReturnType<typeof openServer>>;
  let open: Fleet;
  let strict: Fleet;

  before(async () => {
    stage = await openStage();
    keyed = await openServer(stage.knex, {
      config: {
        signature_keys: [
          { id: 'release', public_key: pemOf(release) },
          { id: 'lost', public_key: bareOf(lost), revoked: true },
        ],
      },
    });
    open = await openFleet(stage, 1);
    strict = open.through(keyed.host);
  });

  after(async () => {
    await keyed?.close();
    await stage?.close();
  });

  const signed = (change: Partial<Manifest> = {}, key = release): NonNullable<Body> =>
    signManifest(manifestOf({ sha256: CHECKSUM, ...change }), key);

  async function expectRefused(fleet: Fleet, body: Body, says: string): Promise<void> {
    const before = await fleet.get('/deployments');
    const answer = await fleet.post('/deployments', deploymentRequest(body));
    const problem = answer.body as Problem;
    expect([answer.status, problem.code]).to.deep.equal([422, 'signature_refused']);
    expect(problem.detail).to.include(says).and.include('nothing was created');
    const after = await fleet.get('/deployments');
    expect((after.body as { pagination: object }).pagination).to.deep.equal(
      (before.body as { pagination: object }).pagination,
    );
  }

  it('a signed one is created, and devices get manifest and signature as they were given', async () => {
    const body = signed();
    await strict.roll(body);
    const offer = (await strict.poll(strict.device)) as UpdateOffer;
    expect([offer.manifest, offer.signature]).to.deep.equal([body.manifest, body.signature]);
  });

  it('the manifest may be for the deployment’s own organization', async () => {
    await strict.create(signed({ organization_id: strict.organizationId }));
  });

  const filter = { device_filters: { device_type: 'nvidia_jetson' } };
  const REFUSED: [string, Body, string][] = [
    ['no signature', {}, 'not signed'],
    ['an unknown key', signed({ key_id: 'other' }, stranger), 'unknown key "other"'],
    ['a stranger’s signature', signed({}, stranger), 'does not fit'],
    ['a revoked key', signed({ key_id: 'lost' }, lost), 'revoked key "lost"'],
    ['another version', signed({ version: 'v2.2.0' }), 'for version v2.2.0'],
    ['another package', signed({ sha256: '00'.repeat(32) }), 'another package'],
    ['another organization', signed({ organization_id: 'else' }), 'another organization'],
    ['an expired manifest', signed({ expires: '2021-01-01T00:00:00Z' }), 'expired at 2021'],
    [
      'a filter for devices that the package is not for',
      { ...signed(), ...filter },
      'for the device types raspberry_pi, valve and not for nvidia_jetson',
    ],
  ];
  for (const [what, body, says] of REFUSED) {
    it(`refuses ${what}`, () => expectRefused(strict, body, says));
  }

  it('says with which key to sign', () =>
    expectRefused(strict, signed({}, stranger), 'key release'));

  it('without keys a package needs no signature', async () => {
    await open.create();
  });

  it('without keys anybody may have signed, but a manifest that devices would refuse is refused', async () => {
    await open.create(signed({}, stranger));
    await expectRefused(open, signed({ version: 'v9' }), 'for version v9');
    await expectRefused(open, signed({ sha256: '00'.repeat(32) }), 'another package');
    await expectRefused(open, { ...signed(), ...filter }, 'not for nvidia_jetson');
    await expectRefused(open, { manifest: '{}', signature: 'c2ln' }, 'has faults');
    await expectRefused(open, { ...signed(), signature: 'c2ln' }, '64 bytes in base64');
  });
});
