import { readFile, readdir, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import type { Keyring } from '../../backend/contract/signing/keyring.ts';
import {
  rawKeyOf,
  keyringOf,
  manifestOf,
  newKeyPair,
  pemOf,
  signKeyring,
  signManifest,
} from '../support/signing-fixtures.ts';
import { DeviceServer } from '../support/agent/device-server.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { type AgentExit, Sandbox } from '../support/agent/sandbox.ts';

const [root, first, second, stranger] = [newKeyPair(), newKeyPair(), newKeyPair(), newKeyPair()];
const SCRIPT = 'echo new > "$OTA_ROOT/app/version.txt"';

const entry = (id: string, pair: typeof root, revoked = false): Keyring['keys'][number] => ({
  id,
  public_key: rawKeyOf(pair),
  revoked,
});

describe('agent: keyrings', () => {
  let server: DeviceServer;
  let device: Sandbox;

  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url);
    await configure([]);
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
  });

  const configure = (keys: object[]): Promise<void> =>
    device.configure({
      signatures: {
        device_type: 'pump',
        keys,
        root_keys: [{ id: 'root', public_key: pemOf(root) }],
      },
    });

  const plain = { made: makePackage(SCRIPT), files: 1, bytes: SCRIPT.length };
  const carrying = (keyring: object): typeof plain => {
    const text = JSON.stringify(keyring);
    const made = makePackage(SCRIPT, { 'ota-keyring.json': text });
    return { made, files: 2, bytes: SCRIPT.length + text.length };
  };

  async function install(
    keyId: string,
    key: typeof root,
    { made, files, bytes } = plain,
    faults: Record<string, string> = {},
  ): Promise<AgentExit> {
    const manifest = manifestOf({
      version: '2.0.0',
      device_types: ['pump'],
      sha256: made.sha256,
      size: made.bytes.length,
      unpacked_size: bytes,
      file_count: files,
      key_id: keyId,
    });
    server.offerPackage(made, signManifest(manifest, key));
    return device.once(faults);
  }

  async function expectRefused(says: string, exit: AgentExit): Promise<void> {
    expect(exit.code, exit.stderr).to.equal(10);
    expect(server.lastReport.error_message).to.include(says);
    expect(await device.read('app/version.txt')).to.equal('old\n');
  }

  async function give(keyring: Keyring, key = root): Promise<AgentExit> {
    const file = device.state('given.json');
    await writeFile(file, JSON.stringify(signKeyring(keyring, key)));
    return device.run(['keyring', file]);
  }

  it('with a root key only, nothing is installed before there is a keyring', async () => {
    await expectRefused('no keyring yet', await install('first', first));
    const exit = await give(keyringOf([entry('first', first)]));
    expect(exit.code, exit.stderr).to.equal(0);
    expect(exit.stdout).to.include('Keyring 1 is in force').and.include('trusted  first');
    expect((await install('first', first)).code).to.equal(0);
  });

  it('a keyring replaces the configured keys', async () => {
    await configure([{ id: 'first', public_key: pemOf(first) }]);
    expect((await install('first', first)).code).to.equal(0);
    await device.write('app/version.txt', 'old\n');
    await give(keyringOf([entry('second', second)]));
    await expectRefused('unknown key "first"', await install('first', first));
    expect((await install('second', second)).code).to.equal(0);
  });

  it('F04 an older keyring, one of a stranger and a broken one are refused, and change nothing', async () => {
    await give(keyringOf([entry('first', first)], { sequence: 5 }));
    for (const [exit, says] of [
      [await give(keyringOf([entry('second', second)], { sequence: 4 })), 'not above 5'],
      [await give(keyringOf([entry('second', second)], { sequence: 5 })), 'not above 5'],
      [await give(keyringOf([entry('x', stranger)], { sequence: 6 }), stranger), 'does not fit'],
      [await device.run(['keyring', device.configPath]), 'not a signed keyring'],
    ] as const) {
      expect(exit.code).to.equal(1);
      expect(exit.stderr).to.include(says);
    }
    const missing = await device.run(['keyring', device.state('nowhere')]);
    expect([missing.code, missing.stderr.includes('cannot be read')]).to.deep.equal([2, true]);
    const shown = await device.run(['keyring']);
    expect(shown.stdout).to.equal('trusted  first\n');
    const again = await give(keyringOf([entry('first', first)], { sequence: 5 }));
    expect(again.stdout).to.include('in force already');
  });

  it('F02 a key that a keyring revoked stays revoked, whatever a later one says', async () => {
    await give(keyringOf([entry('first', first), entry('second', second, true)]));
    await give(keyringOf([entry('first', first), entry('again', second)], { sequence: 2 }));
    await expectRefused('revoked key "again"', await install('again', second));
  });

  it('F05 a keyring that has expired is believed no longer', async () => {
    await give(keyringOf([entry('first', first)]));
    const [name = ''] = await readdir(device.state('keyrings'));
    const expired = keyringOf([entry('first', first)], { expires: '2021-01-01T00:00:00Z' });
    await writeFile(device.state(`keyrings/${name}`), JSON.stringify(signKeyring(expired, root)));
    await expectRefused('the keyring expired', await install('first', first));
  });

  it('a package brings the next keyring along', async () => {
    await give(keyringOf([entry('first', first)]));
    const next = keyringOf([entry('first', first), entry('second', second)], { sequence: 2 });
    const exit = await install('first', first, carrying(signKeyring(next, root)));
    expect(exit.code, exit.stderr).to.equal(0);
    expect((await install('second', second)).code).to.equal(0);
    const older = carrying(signKeyring(keyringOf([entry('first', first)]), root));
    expect((await install('second', second, older)).code).to.equal(0);
    expect((await device.run(['keyring'])).stdout).to.include('second');
  });

  it('a package with a keyring of somebody else is refused', async () => {
    await give(keyringOf([entry('first', first)]));
    const evil = keyringOf([entry('x', stranger)], { sequence: 2 });
    const made = carrying(signKeyring(evil, stranger));
    await expectRefused('does not fit the keyring', await install('first', first, made));
    expect((await device.run(['keyring'])).stdout).to.equal('trusted  first\n');
  });

  it('a package whose keyring revokes its own key is refused, interrupted or not', async () => {
    for (const faults of [{}, { FAULT_KILL_STEP: 'snapshot', FAULT_KILL_WHEN: 'before' }]) {
      await device.remove();
      device = await Sandbox.create(server.url);
      await configure([]);
      await give(keyringOf([entry('first', first)]));
      const next = keyringOf([entry('first', first, true), entry('second', second)], {
        sequence: 2,
      });
      const exit = await install('first', first, carrying(signKeyring(next, root)), faults);
      const last = exit.signal === 'SIGKILL' ? await device.once() : exit;
      await expectRefused('revoked key "first"', last);
    }
  });

  it('F40 a damaged keyring opens nothing, and can be given again', async () => {
    await configure([{ id: 'second', public_key: pemOf(second) }]);
    const keyring = keyringOf([entry('first', first)], { sequence: 3 });
    await give(keyring);
    const [name = ''] = await readdir(device.state('keyrings'));
    const file = device.state(`keyrings/${name}`);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.slice(0, -30));
    await expectRefused('cannot be read', await install('second', second));
    const older = await give(keyringOf([entry('second', second)], { sequence: 2 }));
    expect(older.stderr).to.include('below 3');
    expect((await give(keyring)).stdout).to.include('Keyring 3 is in force');
    expect((await install('first', first)).code).to.equal(0);
  });
});
