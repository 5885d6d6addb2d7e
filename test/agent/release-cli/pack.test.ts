import { execFileSync } from 'node:child_process';
import {
  chmod,
  chown,
  link,
  lutimes,
  mkdir,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import type { Manifest } from '../../../backend/contract/signing/manifest.ts';
import { type Exit, OtaFolder } from '../../support/ota-program.ts';

const LONG = `${'x'.repeat(120)}/${'z'.repeat(150)}`;
const FILES: Record<string, string> = {
  'install.sh': 'echo installing\n',
  'firmware/kernel.img': 'kernel '.repeat(50_000),
  'firmware/empty': '',
  'firmware-notes.txt': 'sorted between the folder and what is in it\n',
  'ümlaut/größe': 'not ASCII\n',
  [LONG]: 'longer than a header holds\n',
  'bin/tool': '#!/bin/sh\n',
};
const EPOCH = { SOURCE_DATE_EPOCH: '1800000000' };

describe('ota pack', () => {
  let folder: OtaFolder;

  beforeEach(async () => {
    folder = await OtaFolder.create();
  });
  afterEach(() => folder.remove());

  /** The same tree, made in the given order of names. */
  async function makeTree(name: string, order = Object.keys(FILES)): Promise<string> {
    for (const file of order) {
      const full = folder.at(name, file);
      await mkdir(path.dirname(full), { recursive: true });
      await writeFile(full, FILES[file] ?? '');
    }
    await mkdir(folder.at(name, 'empty-folder'));
    await chmod(folder.at(name, 'bin/tool'), 0o755);
    return folder.at(name);
  }

  const pack = (tree: string, more: string[] = [], env = {}): Promise<Exit> =>
    folder.run(
      [
        ...['pack', tree, '--version', 'v2.1.0', '--name', 'pump', '--sequence', '7'],
        ...['--device-type', 'raspberry_pi', '--device-type', 'valve', '--key-id', 'release'],
        ...more,
      ],
      { ...EPOCH, ...env },
    );

  it('makes a package and a manifest that say the same, and says what comes next', async () => {
    const exit = await pack(await makeTree('tree'));
    expect(exit.code, exit.stderr).to.equal(0);
    const text = await readFile(folder.at('pump-v2.1.0.manifest.json'), 'utf8');
    const manifest = JSON.parse(text) as Manifest;
    const archive = await readFile(folder.at('pump-v2.1.0.tar.gz'));
    const sum = execFileSync('sha256sum', [folder.at('pump-v2.1.0.tar.gz')], { encoding: 'utf8' });
    expect(manifest).to.deep.equal({
      schema: 1,
      name: 'pump',
      version: 'v2.1.0',
      sequence: 7,
      device_types: ['raspberry_pi', 'valve'],
      organization_id: null,
      sha256: sum.slice(0, 64),
      size: archive.length,
      unpacked_size: Object.values(FILES).reduce((all, one) => all + Buffer.byteLength(one), 0),
      file_count: Object.keys(FILES).length,
      issued: '2027-01-15T08:00:00Z',
      expires: '2028-01-15T08:00:00Z',
      key_id: 'release',
    });
    expect(text).to.equal(JSON.stringify(manifest));
    expect(exit.stdout)
      .to.include(manifest.sha256)
      .and.include(`${archive.length} bytes`)
      .and.include('ota sign pump-v2.1.0.manifest.json');
  });

  it('what GNU tar unpacks is what was packed, with execute bits and without owners', async () => {
    await pack(await makeTree('tree'));
    await mkdir(folder.at('out'));
    execFileSync('tar', ['xzpf', folder.at('pump-v2.1.0.tar.gz'), '-C', folder.at('out')]);
    for (const [name, content] of Object.entries(FILES)) {
      expect(await readFile(folder.at('out', name), 'utf8'), name).to.equal(content);
      const { mode } = await stat(folder.at('out', name));
      expect(mode & 0o777, name).to.equal(name === 'bin/tool' ? 0o755 : 0o644);
    }
    expect(await readdir(folder.at('out/empty-folder'))).to.deep.equal([]);
    const listing = execFileSync('tar', ['tvzf', folder.at('pump-v2.1.0.tar.gz')], {
      encoding: 'utf8',
      env: { ...process.env, TZ: 'UTC' },
    });
    for (const line of listing.trim().split('\n')) {
      expect(line).to.match(/^[d-]\S+ 0\/0 .* 1970-01-01 00:00 /);
    }
  });

  it('gives the same bytes for the same contents, whoever packs them, when and in what order', async () => {
    const one = await makeTree('one');
    expect((await pack(one, ['--out', 'one.tar.gz'])).code).to.equal(0);

    const before = process.umask(0o077);
    const two = await makeTree('two', Object.keys(FILES).reverse()).finally(() => {
      process.umask(before);
    });
    for (const file of Object.keys(FILES)) {
      await lutimes(path.join(two, file), 1_111_111_111, 1_222_222_222);
      if (process.getuid?.() === 0) await chown(path.join(two, file), 1234, 5678);
    }
    // A hard link is another name for the same contents, as some ways of copying make them.
    await rm(path.join(two, 'firmware/empty'));
    await writeFile(folder.at('linked'), '');
    await link(folder.at('linked'), path.join(two, 'firmware/empty'));
    const exit = await pack(two, ['--out', 'two.tar.gz'], { TZ: 'Asia/Tokyo', LC_ALL: 'C' });
    expect(exit.code, exit.stderr).to.equal(0);

    for (const suffix of ['tar.gz', 'manifest.json']) {
      const [first, second] = await Promise.all(
        ['one', 'two'].map((name) => readFile(folder.at(`${name}.${suffix}`))),
      );
      expect(first?.equals(second ?? Buffer.alloc(0)), suffix).to.equal(true);
    }
    await writeFile(path.join(two, 'firmware/empty'), '!');
    await pack(two, ['--out', 'three.tar.gz']);
    const changed = await readFile(folder.at('three.tar.gz'));
    expect(changed.equals(await readFile(folder.at('one.tar.gz')))).to.equal(false);
  });

  it('G33 leaves out what macOS keeps for itself, and says so', async () => {
    const tree = await makeTree('tree');
    for (const name of ['._install.sh', 'bin/._tool', '.DS_Store']) {
      await writeFile(path.join(tree, name), 'of the Finder');
    }
    await mkdir(path.join(tree, '__MACOSX'));
    const exit = await pack(tree);
    expect(exit.code, exit.stderr).to.equal(0);
    expect(exit.stderr).to.include('.DS_Store, ._install.sh, __MACOSX, bin/._tool');
    const listing = execFileSync('tar', ['tzf', folder.at('pump-v2.1.0.tar.gz')]).toString();
    expect(listing).not.to.match(/\._|DS_Store|MACOSX/);
  });

  const UNFIT: [string, (tree: string) => Promise<unknown>, string][] = [
    ['F11 no install.sh', (tree) => rm(path.join(tree, 'install.sh')), 'install.sh'],
    ['F11 an empty install.sh', (tree) => writeFile(path.join(tree, 'install.sh'), ''), 'is empty'],
    [
      'F11 a folder named install.sh',
      async (tree) => {
        await rm(path.join(tree, 'install.sh'));
        await mkdir(path.join(tree, 'install.sh'));
      },
      'is missing',
    ],
    [
      'G33 Windows line endings',
      (tree) => writeFile(path.join(tree, 'install.sh'), 'set -e\r\nfalse\r\n'),
      'Windows line endings (line 1)',
    ],
    [
      'G33 the folder above',
      async (tree) => {
        await mkdir(path.join(tree, 'pump-2.1.0'));
        await rename(path.join(tree, 'install.sh'), path.join(tree, 'pump-2.1.0/install.sh'));
      },
      'pump-2.1.0/ has one: pack that folder',
    ],
    [
      'G33 a name that is not UTF-8',
      (tree) => writeFile(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xfc])]), 'x'),
      'not UTF-8',
    ],
    ['F14 a symbolic link', (tree) => symlink('/etc', path.join(tree, 'link')), 'symbolic link'],
    [
      'F16 a pipe',
      async (tree) => execFileSync('mkfifo', [path.join(tree, 'pipe')]),
      'pipe is a device, socket or pipe',
    ],
    [
      'F19 a path that is too deep',
      (tree) => mkdir(path.join(tree, 'd/'.repeat(70)), { recursive: true }),
      'is too deep',
    ],
    [
      'a name with control characters',
      (tree) => writeFile(path.join(tree, 'a\nb'), 'x'),
      'control characters',
    ],
    [
      'a keyring that is none',
      (tree) => writeFile(path.join(tree, 'ota-keyring.json'), '{}'),
      'not a signed keyring',
    ],
  ];
  for (const [what, spoil, says] of UNFIT) {
    it(`refuses what a device would refuse, and leaves nothing: ${what}`, async () => {
      const tree = await makeTree('tree');
      await spoil(tree);
      const exit = await pack(tree);
      expect(exit.code, exit.stderr).to.equal(4);
      expect(exit.stderr).to.include(says);
      expect(await readdir(folder.path)).to.deep.equal(['tree']);
    });
  }

  it('adds the request for a reboot, with the entry to start, and no second one', async () => {
    for (const [options, content] of [
      [['--reboot'], ''],
      [['--reboot', 'slot-b'], 'slot-b\n'],
    ] as const) {
      const tree = await makeTree(`tree${options.length}`);
      const exit = await pack(tree, [...options, '--replace']);
      expect(exit.code, exit.stderr).to.equal(0);
      const archive = folder.at('pump-v2.1.0.tar.gz');
      const read = (...args: string[]): string =>
        execFileSync('tar', ['-xzOf', archive, ...args], { encoding: 'utf8' });
      expect(read('reboot-required')).to.equal(content);
      expect(read('install.sh')).to.equal(FILES['install.sh']);
      await writeFile(path.join(tree, 'reboot-required'), '');
      const again = await pack(tree, [...options, '--replace']);
      expect(again.code).to.equal(4);
      expect(again.stderr).to.include('reboot-required is in the folder already');
    }
  });

  it('overwrites only when told, and never packs itself', async () => {
    const tree = await makeTree('tree');
    await writeFile(folder.at('pump-v2.1.0.tar.gz'), 'precious');
    const exit = await pack(tree);
    expect(exit.code).to.equal(2);
    expect(exit.stderr).to.include('--replace');
    expect(await readFile(folder.at('pump-v2.1.0.tar.gz'), 'utf8')).to.equal('precious');
    expect((await pack(tree, ['--replace'])).code).to.equal(0);
    const inside = await pack(tree, ['--out', 'tree/pump.tar.gz']);
    expect(inside.code).to.equal(2);
    expect(inside.stderr).to.include('is in the folder to be packed');
  });

  for (const [args, says] of [
    [['--expires', 'soon'], 'days, as 90d'],
    [['--expires', '2020-01-01T00:00:00Z'], 'is in the past'],
    [['--sequence', '-1'], 'whole number'],
    [['--name', '../pump'], 'not a good file name'],
    [['--name', 'p'.repeat(300), '--out', 'p.tar.gz'], 'name'],
  ] as const) {
    it(`refuses ${args.join(' ').slice(0, 40)}`, async () => {
      const exit = await pack(await makeTree('tree'), [...args]);
      expect(exit.code, exit.stderr).to.equal(2);
      expect(exit.stderr).to.include(says);
      expect(await readdir(folder.path)).to.deep.equal(['tree']);
    });
  }
});
