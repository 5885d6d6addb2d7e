import { expect } from 'chai';
import type { UpdateOffer } from '../../backend/contract/device-api.ts';
import type { Problem } from '../../backend/contract/problem.ts';
import type { Manifest } from '../../backend/contract/signing/manifest.ts';
import {
  CHECKSUM,
  deploymentRequest,
  createFleet,
  startServer,
  startOta,
} from '../support/ota-server.ts';
import type { Fleet, OtaServer } from '../support/ota-server.ts';
import {
  rawKeyOf,
  manifestOf,
  newKeyPair,
  pemOf,
  signManifest,
} from '../support/signing-fixtures.ts';

const release = newKeyPair();
const revoked = newKeyPair();
const unknown = newKeyPair();

type Body = Parameters<typeof deploymentRequest>[0];

describe('package signatures at creation', () => {
  let ota: OtaServer;
  let keyed: Awaited<ReturnType<typeof startServer>>;
  let open: Fleet;
  let strict: Fleet;

  before(async () => {
    ota = await startOta();
    keyed = await startServer(ota.knex, {
      config: {
        signature_keys: [
          { id: 'release', public_key: pemOf(release) },
          { id: 'revoked', public_key: rawKeyOf(revoked), revoked: true },
        ],
      },
    });
    open = await createFleet(ota, 1);
    strict = open.through(keyed.host);
  });

  after(async () => {
    await keyed?.close();
    await ota?.close();
  });

  const signed = (change: Partial<Manifest> = {}, key = release): NonNullable<Body> =>
    signManifest(manifestOf({ sha256: CHECKSUM, ...change }), key);

  async function expectRejected(fleet: Fleet, body: Body, reason: string): Promise<void> {
    const before = await fleet.get('/deployments');
    const answer = await fleet.post('/deployments', deploymentRequest(body));
    const problem = answer.body as Problem;
    expect([answer.status, problem.code]).to.deep.equal([422, 'signature_refused']);
    expect(problem.detail).to.include(reason).and.include('nothing was created');
    const after = await fleet.get('/deployments');
    expect((after.body as { pagination: object }).pagination).to.deep.equal(
      (before.body as { pagination: object }).pagination,
    );
  }

  it('reach the devices unchanged, with their manifests', async () => {
    const body = signed();
    await strict.rollOut(body);
    const offer = (await strict.poll(strict.device)) as UpdateOffer;
    expect([offer.manifest, offer.signature]).to.deep.equal([body.manifest, body.signature]);
  });

  it('are accepted for the own organization', async () => {
    await strict.create(signed({ organization_id: strict.organizationId }));
  });

  const filter = { device_filters: { device_type: 'nvidia_jetson' } };
  const REJECTED: [string, Body, string][] = [
    ['missing', {}, 'not signed'],
    ['of an unknown key', signed({ key_id: 'other' }, unknown), 'unknown key "other"'],
    ['of another key than they name', signed({}, unknown), 'does not fit'],
    ['of a revoked key', signed({ key_id: 'revoked' }, revoked), 'revoked key "revoked"'],
    ['for another version', signed({ version: 'v2.2.0' }), 'for version v2.2.0'],
    ['for another package', signed({ sha256: '00'.repeat(32) }), 'another package'],
    ['for another organization', signed({ organization_id: 'else' }), 'another organization'],
    ['of an expired manifest', signed({ expires: '2021-01-01T00:00:00Z' }), 'expired at 2021'],
    [
      'for other device types than the filter selects',
      { ...signed(), ...filter },
      'for the device types raspberry_pi, valve and not for nvidia_jetson',
    ],
  ];
  for (const [what, body, reason] of REJECTED) {
    it(`are rejected if they are ${what}`, () => expectRejected(strict, body, reason));
  }

  it('are rejected with the name of the right key', () =>
    expectRejected(strict, signed({}, unknown), 'key release'));

  it('are optional if no keys are configured', async () => {
    await open.create();
  });

  it('may be of any key if none is configured, but the manifest must be valid', async () => {
    await open.create(signed({}, unknown));
    await expectRejected(open, signed({ version: 'v9' }), 'for version v9');
    await expectRejected(open, signed({ sha256: '00'.repeat(32) }), 'another package');
    await expectRejected(open, { ...signed(), ...filter }, 'not for nvidia_jetson');
    await expectRejected(open, { manifest: '{}', signature: 'c2ln' }, 'has faults');
    await expectRejected(open, { ...signed(), signature: 'c2ln' }, '64 bytes in base64');
  });
});
