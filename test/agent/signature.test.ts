import { expect } from 'chai';
import { writeFile } from 'node:fs/promises';
import { MANIFEST, type Manifest } from '../../backend/contract/signing/manifest.ts';
import {
  rawKeyOf,
  manifestOf,
  newKeyPair,
  pemOf,
  signManifest,
  signText,
} from '../support/signing-fixtures.ts';
import { DeviceServer, type TestOffer } from '../support/agent/device-server.ts';
import { type Package, makePackage } from '../support/agent/package-builder.ts';
import { Sandbox } from '../support/agent/sandbox.ts';

const trusted = newKeyPair();
const revoked = newKeyPair();
const stranger = newKeyPair();

const SCRIPT = 'echo new > "$OTA_ROOT/app/version.txt"';
const FIRMWARE = 'firmware '.repeat(100);
const PACKAGE = makePackage(SCRIPT, { firmware: FIRMWARE });

function manifestFor(made: Package, change: Partial<Manifest> = {}): Manifest {
  return manifestOf({
    version: '2.0.0',
    device_types: ['pump', 'valve'],
    sha256: made.sha256,
    size: made.bytes.length,
    unpacked_size: SCRIPT.length + FIRMWARE.length,
    file_count: 2,
    ...change,
  });
}

function signed(manifest: Manifest, key = trusted): Pick<TestOffer, 'manifest' | 'signature'> {
  return signManifest(manifest, key);
}

describe('agent: signed packages', () => {
  let server: DeviceServer;
  let device: Sandbox;

  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url, {
      signatures: {
        device_type: 'pump',
        keys: [
          { id: 'release', public_key: pemOf(trusted) },
          { id: 'lost', public_key: rawKeyOf(revoked), revoked: true },
        ],
      },
    });
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
  });

  async function expectRefused(
    says: string,
    made: Package,
    offer: Partial<TestOffer>,
  ): Promise<void> {
    const before = await device.picture();
    server.offerPackage(made, offer);
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(10);
    expect(await device.picture()).to.equal(before);
    expect(server.lastReport.status).to.equal('failed');
    expect(server.lastReport.error_message).to.include(says);
  }

  async function expectInstalled(made: Package, offer: Partial<TestOffer>): Promise<void> {
    server.offerPackage(made, offer);
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(0);
    expect(server.lastReport.status).to.equal('completed');
  }

  it('a properly signed package is installed', () =>
    expectInstalled(PACKAGE, signed(manifestFor(PACKAGE))));

  it('F01 one changed byte of the manifest', () => {
    const { manifest = '', signature = '' } = signed(manifestFor(PACKAGE));
    const changed = manifest.replace('pump-firmware', 'pump-firmwarf');
    return expectRefused('signature does not fit', PACKAGE, { manifest: changed, signature });
  });

  it('F02 no signature at all', async () => {
    await expectRefused('not signed', PACKAGE, {});
    const { manifest = '' } = signed(manifestFor(PACKAGE));
    await expectRefused('not signed', PACKAGE, { manifest });
    expect(server.downloads).to.have.length(0);
  });

  it('F02 an unknown key', () =>
    expectRefused(
      'unknown key',
      PACKAGE,
      signed(manifestFor(PACKAGE, { key_id: 'other' }), stranger),
    ));

  it('F02 a stranger under the name of a known key', () =>
    expectRefused('signature does not fit', PACKAGE, signed(manifestFor(PACKAGE), stranger)));

  it('F02 a revoked key', () =>
    expectRefused(
      'revoked key',
      PACKAGE,
      signed(manifestFor(PACKAGE, { key_id: 'lost' }), revoked),
    ));

  it('F03 a valid signature over another manifest', () => {
    const { signature = '' } = signed(manifestFor(PACKAGE, { sequence: 8 }));
    const { manifest = '' } = signed(manifestFor(PACKAGE));
    return expectRefused('signature does not fit', PACKAGE, { manifest, signature });
  });

  it('F03 a signature made for another purpose', () => {
    const manifest = JSON.stringify(manifestFor(PACKAGE));
    return expectRefused('signature does not fit', PACKAGE, {
      manifest,
      signature: signText(manifest, trusted, ''),
    });
  });

  it('F04 an older sequence than installed, also after the journal was lost', async () => {
    await expectInstalled(PACKAGE, signed(manifestFor(PACKAGE)));
    const old = signed(manifestFor(PACKAGE, { sequence: 6 }));
    await expectRefused('sequence 6 is older than 7', PACKAGE, old);
    await writeFile(device.state('journal.json'), 'torn');
    await expectRefused('sequence 6 is older than 7', PACKAGE, old);
  });

  it('F04 a sequence that was rolled back does not count', async () => {
    const bad = makePackage('exit 1');
    const manifest = manifestFor(bad, { sequence: 9, unpacked_size: 6, file_count: 1 });
    server.offerPackage(bad, signed(manifest));
    expect((await device.once()).code).to.equal(11);
    await expectInstalled(PACKAGE, signed(manifestFor(PACKAGE, { sequence: 8 })));
  });

  it('F05 an expired manifest', () =>
    expectRefused(
      'expired',
      PACKAGE,
      signed(manifestFor(PACKAGE, { expires: '2021-01-01T00:00:00Z' })),
    ));

  it('F06 the manifest of another package', async () => {
    const other = makePackage('echo other');
    await expectRefused('another package', PACKAGE, signed(manifestFor(other)));
    await expectRefused(
      'for version 3.0.0',
      PACKAGE,
      signed(manifestFor(PACKAGE, { version: '3.0.0' })),
    );
  });

  it('F06 the archive of another package under this checksum', async () => {
    const offer = signed(manifestFor(PACKAGE));
    server.servePackage = (_request, response) => {
      response.end(makePackage('echo other').bytes);
      return true;
    };
    await expectRefused('SHA-256', PACKAGE, offer);
  });

  it('F07 more bytes than signed', async () => {
    server.servePackage = (_request, response) => {
      response.writeHead(200);
      const more = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(10_000), more);
      };
      response.on('error', () => undefined);
      more();
      return true;
    };
    await expectRefused('bytes in the manifest', PACKAGE, signed(manifestFor(PACKAGE)));
  });

  it('F07 other contents than signed', async () => {
    const sizes = { unpacked_size: 10, file_count: 2 };
    await expectRefused('its manifest has', PACKAGE, signed(manifestFor(PACKAGE, sizes)));
    await expectRefused(
      'its manifest has',
      PACKAGE,
      signed(manifestFor(PACKAGE, { file_count: 1 })),
    );
  });

  it('F08 another device type', () =>
    expectRefused(
      'and not for pump',
      PACKAGE,
      signed(manifestFor(PACKAGE, { device_types: ['valve'] })),
    ));

  it('F08 another organization', async () => {
    const other = { organization_id: 'organization-2' };
    await expectRefused('another organization', PACKAGE, signed(manifestFor(PACKAGE, other)));
    const own = { organization_id: 'organization-1' };
    await expectInstalled(PACKAGE, signed(manifestFor(PACKAGE, own)));
  });

  it('F09 the file is swapped between check and extraction', async () => {
    const before = await device.picture();
    const offer = server.offerPackage(PACKAGE, signed(manifestFor(PACKAGE)));
    const killed = await device.once({ FAULT_KILL_STEP: 'extract', FAULT_KILL_WHEN: 'after' });
    expect(killed.signal).to.equal('SIGKILL');
    const file = device.state(`work/${offer.deployment_id}-1/package.tar.gz`);
    await writeFile(file, makePackage('echo swapped > "$OTA_ROOT/app/version.txt"').bytes);
    expect((await device.once()).code).to.equal(10);
    expect(server.lastReport.error_message).to.include('changed after it was checked');
    expect(await device.picture()).to.equal(before);
  });

  for (const [what, mangle] of Object.entries({
    'F10 duplicate keys': (text: string) =>
      text.replace('"sequence":7', '"sequence":1,"sequence":7'),
    'F10 a key nobody knows': (text: string) => text.replace('{', '{"extra":1,'),
    'F10 white space': (text: string) => ` ${text}`,
    'F10 a missing key': (text: string) => text.replace('"sequence":7,', ''),
    'F10 an escaped key': (text: string) => text.replace('"size"', '"\\u0073ize"'),
    'F10 a number written in another way': (text: string) =>
      text.replace('"sequence":7', '"sequence":7.0'),
  })) {
    it(`${what} in a manifest that is signed like that`, () => {
      const text = mangle(JSON.stringify(manifestFor(PACKAGE)));
      return expectRefused('the manifest', PACKAGE, {
        manifest: text,
        signature: signText(text, trusted, MANIFEST.signedPrefix),
      });
    });
  }

  it('keys need a device type, and have to be Ed25519', async () => {
    await device.configure({ signatures: { keys: [{ id: 'a', public_key: 'AAAA' }] } });
    const exit = await device.once();
    expect(exit.code).to.equal(2);
    expect(exit.stderr)
      .to.include('signatures.keys[0].public_key')
      .and.include('signatures.device_type');
  });

  it('F02 a key with which anybody can sign is no key', async () => {
    const zero = Buffer.alloc(32).toString('base64');
    await device.configure({
      signatures: { device_type: 'pump', keys: [{ id: 'release', public_key: zero }] },
    });
    const exit = await device.once();
    expect(exit.code).to.equal(2);
    expect(exit.stderr).to.include('signatures.keys[0].public_key').and.include('small order');
  });

  it('F02 a signature in another spelling', () => {
    const { manifest = '', signature = '' } = signed(manifestFor(PACKAGE));
    return expectRefused('64 bytes in base64', PACKAGE, { manifest, signature: ` ${signature}` });
  });
});
