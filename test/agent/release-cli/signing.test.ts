import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { MANIFEST, type Manifest } from '../../../backend/contract/signing/manifest.ts';
import { type Exit, OtaFolder } from '../../support/ota-program.ts';

const PACKAGE = 'pump-v2.1.0.tar.gz';
const MANIFEST_FILE = 'pump-v2.1.0.manifest.json';
const SIGNATURE = 'pump-v2.1.0.manifest.sig';

describe('ota keygen, sign, verify and keyring', () => {
  let folder: OtaFolder;
  let manifest: string;
  let archive: Buffer;

  before(async () => {
    folder = await OtaFolder.create();
    await mkdir(folder.at('tree'));
    await writeFile(folder.at('tree/install.sh'), 'echo installing\n');
    await ota('keygen', '--out', 'release');
    await ota('keygen', '--out', 'spare', '--id', 'spare-2027');
    await ota('keygen', '--out', 'root');
    await ota(
      ...['pack', 'tree', '--version', 'v2.1.0', '--name', 'pump', '--sequence', '7'],
      ...['--device-type', 'raspberry_pi', '--key-id', 'release'],
    );
    await ota('sign', MANIFEST_FILE, '--key', 'release.key');
    manifest = await readFile(folder.at(MANIFEST_FILE), 'utf8');
    archive = await readFile(folder.at(PACKAGE));
  });
  after(() => folder?.remove());

  /** Must succeed. */
  async function ota(...args: string[]): Promise<string> {
    const exit = await folder.run(args);
    expect(exit.code, exit.stderr).to.equal(0);
    return exit.stdout;
  }

  async function expectExit(code: number, says: string, args: string[]): Promise<Exit> {
    const exit = await folder.run(args);
    expect(exit.code, exit.stdout + exit.stderr).to.equal(code);
    expect(exit.stderr).to.include(says);
    return exit;
  }

  const verify = (change: Record<string, string> = {}, ...more: string[]): string[] => [
    ...['verify', change.package ?? PACKAGE, '--manifest', change.manifest ?? MANIFEST_FILE],
    ...['--signature', change.signature ?? SIGNATURE, ...more],
  ];
  const key = ['--public-key', 'release.pub.json'];

  it('a private key is its owner’s alone, is never shown, and is never overwritten', async () => {
    expect((await stat(folder.at('release.key'))).mode & 0o777).to.equal(0o600);
    const before = await readFile(folder.at('release.key'), 'utf8');
    expect(before).to.match(/^-----BEGIN PRIVATE KEY-----/);
    const exit = await expectExit(2, 'already exists', ['keygen', '--out', 'release']);
    expect(exit.stdout + exit.stderr).not.to.include(before.split('\n')[1]);
    await writeFile(folder.at('half.key'), 'precious');
    await expectExit(2, 'already exists', ['keygen', '--out', 'half']);
    expect(await readFile(folder.at('release.key'), 'utf8')).to.equal(before);
    expect(await readFile(folder.at('half.key'), 'utf8')).to.equal('precious');
  });

  it('says when others can read a private key', async () => {
    await ota('keygen', '--out', 'open', '--id', 'release');
    await chmod(folder.at('open.key'), 0o644);
    await writeFile(folder.at('open.json'), manifest);
    const exit = await folder.run(['sign', 'open.json', '--key', 'open.key']);
    expect(exit.code, exit.stderr).to.equal(0);
    expect(exit.stderr).to.include('chmod 600 open.key');
  });

  it('a signature is what OpenSSL makes of prefix and manifest', async () => {
    await writeFile(folder.at('signed'), MANIFEST.signedPrefix + manifest);
    const args = ['pkeyutl', '-sign', '-rawin', '-inkey', folder.at('release.key')];
    const bytes = execFileSync('openssl', [...args, '-in', folder.at('signed')]);
    expect(await readFile(folder.at(SIGNATURE), 'utf8')).to.equal(`${bytes.toString('base64')}\n`);
  });

  it('a good package is good, with the entry of keygen and with PEM', async () => {
    expect(await ota(...verify({}, ...key))).to.include('Good: pump v2.1.0, sequence 7');
    const pem = execFileSync('openssl', ['pkey', '-in', folder.at('release.key'), '-pubout']);
    await writeFile(folder.at('release.pem'), pem);
    await ota(...verify({}, '--public-key', 'release.pem', '--device-type', 'raspberry_pi'));
  });

  it('refuses what devices refuse', async () => {
    const flipped = Buffer.from(archive);
    flipped[flipped.length - 9] = (flipped[flipped.length - 9] ?? 0) ^ 1;
    await writeFile(folder.at('flipped.tar.gz'), flipped);
    await writeFile(folder.at('changed.json'), manifest.replace('"sequence":7', '"sequence":8'));
    await writeFile(folder.at('spaced.json'), `${manifest}\n`);
    await writeFile(folder.at('none.sig'), '\n');
    await expectExit(4, 'another package', verify({ package: 'flipped.tar.gz' }, ...key));
    await expectExit(4, 'does not fit', verify({ manifest: 'changed.json' }, ...key));
    await expectExit(4, 'not compact JSON', verify({ manifest: 'spaced.json' }, ...key));
    await expectExit(4, '64 bytes', verify({ signature: 'none.sig' }, ...key));
    await expectExit(4, 'unknown key', verify({}, '--public-key', 'spare.pub.json'));
    await expectExit(4, 'not for valve', verify({}, ...key, '--device-type', 'valve'));
    await expectExit(2, 'cannot be read', verify({ package: 'nowhere.tar.gz' }, ...key));
    await expectExit(2, 'Give --public-key', verify());
  });

  it('F07 a manifest that is signed and says something else than the package holds', async () => {
    const wrong = { ...(JSON.parse(manifest) as Manifest), file_count: 9 };
    await writeFile(folder.at('wrong.json'), JSON.stringify(wrong));
    await ota('sign', 'wrong.json', '--key', 'release.key');
    const args = verify({ manifest: 'wrong.json', signature: 'wrong.sig' }, ...key);
    await expectExit(4, 'its manifest has 9 files', args);
  });

  it('signs nothing that devices would refuse, and not with the wrong key', async () => {
    const sign = (file: string, with_ = 'release.key') => ['sign', file, '--key', with_];
    await expectExit(2, 'already exists', sign(MANIFEST_FILE));
    await expectExit(2, 'but spare.key is spare-2027', sign(MANIFEST_FILE, 'spare.key'));
    await expectExit(2, 'not a private key in PEM', sign(MANIFEST_FILE, 'release.pub.json'));
    await writeFile(folder.at('odd.json'), manifest.replace('{', '{"extra":1,'));
    await expectExit(4, '"extra" is not allowed', sign('odd.json'));
    const old = manifest.replace(/"issued":.*?Z","expires":".*?Z"/, LONG_GONE);
    await writeFile(folder.at('old.json'), old);
    await expectExit(4, 'expired at 2021', sign('old.json'));
  });

  it('a key with a passphrase signs with it only', async () => {
    const secret = { OTA_KEY_PASSPHRASE: 'correct horse' };
    const made = await folder.run(['keygen', '--out', 'vault', '--id', 'release'], secret);
    expect(made.code, made.stderr).to.equal(0);
    expect(await readFile(folder.at('vault.key'), 'utf8')).to.include('ENCRYPTED PRIVATE KEY');
    await writeFile(folder.at('vault.json'), manifest);
    const sign = ['sign', 'vault.json', '--key', 'vault.key'];
    await expectExit(2, 'OTA_KEY_PASSPHRASE', sign);
    const wrong = await folder.run(sign, { OTA_KEY_PASSPHRASE: 'battery staple' });
    expect([wrong.code, wrong.stderr.includes('battery')]).to.deep.equal([2, false]);
    expect((await folder.run(sign, secret)).code).to.equal(0);
    const args = verify({ signature: 'vault.sig' }, '--public-key', 'vault.pub.json');
    expect(await ota(...args)).to.include('Good');
  });

  it('a keyring made here and signed there says who may sign', async () => {
    const make = ['keyring', 'make', '--root-id', 'root', '--key', 'release.pub.json'];
    await ota(...make, '--sequence', '1');
    await ota('keyring', 'sign', 'keyring.json', '--key', 'root.key');
    const shown = await ota(
      'keyring',
      'verify',
      'keyring.signed.json',
      '--root-key',
      'root.pub.json',
    );
    expect(shown).to.include('keyring 1').and.include('trusted  release');
    const ring = (file: string) => ['--keyring', file, '--root-key', 'root.pub.json'];
    expect(await ota(...verify({}, ...ring('keyring.signed.json')))).to.include('Good');

    await ota(
      ...['keyring', 'make', '--root-id', 'root', '--key', 'spare.pub.json'],
      ...['--revoke', 'release.pub.json', '--sequence', '2', '--out', 'second.json'],
    );
    await ota('keyring', 'sign', 'second.json', '--key', 'root.key');
    await expectExit(4, 'revoked key', verify({}, ...ring('second.signed.json')));
  });

  it('F03 a keyring is not signed by anybody else, and not by the way', async () => {
    const make = ['keyring', 'make', '--key', 'spare.pub.json', '--sequence', '3'];
    await ota(...make, '--root-id', 'release', '--out', 'forged.json');
    await ota('keyring', 'sign', 'forged.json', '--key', 'release.key');
    const args = ['keyring', 'verify', 'forged.signed.json', '--root-key', 'root.pub.json'];
    await expectExit(4, 'unknown key', args);
    await expectExit(4, 'has faults', ['sign', 'forged.json', '--key', 'release.key']);
    await expectExit(4, 'has faults', ['keyring', 'sign', MANIFEST_FILE, '--key', 'release.key']);
  });
});

const LONG_GONE = '"issued":"2020-01-01T00:00:00Z","expires":"2021-01-01T00:00:00Z"';
