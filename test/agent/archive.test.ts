import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createGzip, gzipSync } from 'node:zlib';
import { DeviceServer } from '../support/agent/device-server.ts';
import {
  type ArchiveEntry,
  type Package,
  makePackage,
  packEntries,
  paxHeader,
  packageOf,
  tarOf,
} from '../support/agent/package-builder.ts';
import { Sandbox } from '../support/agent/sandbox.ts';

const SCRIPT: ArchiveEntry = { path: 'install.sh', content: 'touch "$OTA_ROOT/app/ran"' };
const deep = (levels: number): string => `${'d/'.repeat(levels)}file`;

/** Title → what is in the archive, and what the refusal says. */
const ATTACKS: Record<string, { entries: ArchiveEntry[]; says: string }> = {
  'F12 a path through ..': {
    entries: [SCRIPT, { path: '../escaped', content: 'x' }],
    says: 'leads out',
  },
  'F12 a .. in the middle of a path': {
    entries: [SCRIPT, { path: 'a/../../escaped', content: 'x' }],
    says: 'leads out',
  },
  'F13 an absolute path': {
    entries: [SCRIPT, { path: '/tmp/ota-agent-escaped', content: 'x' }],
    says: 'absolute path',
  },
  'F14 a symlink and a write through it': {
    entries: [
      SCRIPT,
      { path: 'out', type: 'SymbolicLink', linkpath: '../../../../root' },
      { path: 'out/escaped', content: 'x' },
    ],
    says: 'a symbolic link; only files and folders are allowed. Leave it out, and create it in install.sh',
  },
  'F15 a hard link out of the folder': {
    entries: [SCRIPT, { path: 'passwd', type: 'Link', linkpath: '/etc/passwd' }],
    says: 'hard link, a second name of a file; only files and folders are allowed. Build the package with "ota pack"',
  },
  'F16 a character device': {
    entries: [SCRIPT, { path: 'null', type: 'CharacterDevice' }],
    says: 'is a device',
  },
  'F16 a block device': {
    entries: [SCRIPT, { path: 'disk', type: 'BlockDevice' }],
    says: 'is a device',
  },
  'F16 a FIFO': { entries: [SCRIPT, { path: 'pipe', type: 'FIFO' }], says: 'is a pipe' },
  'F19 a very deep path': {
    entries: [SCRIPT, { path: deep(80), content: 'x' }],
    says: 'too deep',
  },
  'F19 a very long path': {
    entries: [SCRIPT, { path: `${'n'.repeat(200)}/`.repeat(10), content: 'x' }],
    says: 'too long',
  },
  'F19 more entries than allowed': {
    entries: [SCRIPT, ...Array.from({ length: 60 }, (_, n) => ({ path: `f${n}`, content: 'x' }))],
    says: 'more than 50 entries',
  },
  'F21 a folder replaced by a symlink': {
    entries: [
      SCRIPT,
      { path: 'config/', type: 'Directory' },
      { path: 'config', type: 'SymbolicLink', linkpath: '/etc' },
    ],
    says: 'a symbolic link',
  },
  'F21 a folder replaced by a file': {
    entries: [SCRIPT, { path: 'config/', type: 'Directory' }, { path: 'config', content: 'x' }],
    says: 'occurs twice',
  },
  'F21 the same file twice': {
    entries: [SCRIPT, { path: './install.sh', content: 'exit 1' }],
    says: 'occurs twice',
  },
  'F11 no install.sh': { entries: [{ path: 'readme', content: 'x' }], says: 'no install.sh' },
  'F11 an empty install.sh': { entries: [{ path: 'install.sh' }], says: 'install.sh is empty' },
  'F11 a folder install.sh': {
    entries: [{ path: 'install.sh/', type: 'Directory' }],
    says: 'not a regular file',
  },
  'F11 a symlink install.sh': {
    entries: [{ path: 'install.sh', type: 'SymbolicLink', linkpath: '/bin/true' }],
    says: 'a symbolic link',
  },
  'a name with a line break': {
    entries: [SCRIPT, { path: 'a\nb', content: 'x' }],
    says: 'control characters',
  },
};

describe('agent: archives that attack', () => {
  let server: DeviceServer;
  let device: Sandbox;

  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url, {
      extract: { max_entries: 50, max_bytes: 30_000_000 },
    });
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
  });

  async function expectRefused(made: Package, says: string): Promise<void> {
    const before = await device.picture('');
    server.offerPackage(made);
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(10);
    expect(await device.picture('')).to.equal(before);
    expect(server.statuses).to.deep.equal(['downloading', 'failed']);
    expect(server.lastReport.error_message).to.include(says);
    expect(existsSync('/tmp/ota-agent-escaped')).to.equal(false);
    expect(existsSync(device.state('work/escaped'))).to.equal(false);
  }

  for (const [title, { entries, says }] of Object.entries(ATTACKS)) {
    it(`${title} is refused`, () => expectRefused(packEntries(entries), says));
  }

  it('F19 a million entries are refused at the first one too many', async () => {
    const distinct = Array.from({ length: 60 }, (_, n) => ({ path: `f${n}`, content: '' }));
    const entry = tarOf([{ path: 'again', content: '' }]).subarray(0, 512);
    const block = Buffer.concat(Array.from({ length: 10_000 }, () => entry));
    const start = tarOf([SCRIPT, ...distinct]).subarray(0, -1024);
    const archive = Readable.from([start, ...Array.from({ length: 100 }, () => block)]);
    const packed = await buffer(archive.pipe(createGzip({ level: 1 })));
    await expectRefused(packageOf(packed), 'more than 50 entries');
  });

  it('F17 setuid bits and foreign owners are not taken over', async () => {
    server.offerPackage(
      packEntries([
        { path: 'install.sh', content: 'stat -c "%a %u" tool > "$OTA_ROOT/app/tool-mode"' },
        { path: 'tool', content: '#!/bin/sh\n', mode: 0o6755, uid: 4711, gid: 4711 },
      ]),
    );
    expect((await device.once()).code).to.equal(0);
    expect(await device.read('app/tool-mode')).to.equal(`755 ${process.getuid?.()}\n`);
    expect((await stat(device.root('app/tool-mode'))).mode & 0o7000).to.equal(0);
  });

  it('F18 a bomb by ratio is refused', () =>
    expectRefused(makePackage('true', { zeros: Buffer.alloc(25_000_000) }), 'decompression bomb'));

  it('F18 a bomb by total bytes is refused', async () => {
    await device.configure({ extract: { max_bytes: 1_000_000, max_ratio: 1_000_000 } });
    await expectRefused(makePackage('true', { zeros: Buffer.alloc(2_000_000) }), '1000000 bytes');
  });

  for (const [what, twice] of Object.entries({
    'gzip in gzip': gzipSync,
    'zstd in gzip': () => Buffer.concat([Buffer.from('28b52ffd', 'hex'), Buffer.alloc(600)]),
  })) {
    it(`G32 ${what} is refused before anything is unpacked`, () => {
      const tar = tarOf([SCRIPT, { path: 'zeros', content: Buffer.alloc(40_000_000) }]);
      return expectRefused(packageOf(gzipSync(twice(tar))), 'compressed more than once');
    });
  }

  it('G32 the limits count what the files take, also where the archive only claims it', async () => {
    const tar = tarOf([SCRIPT, { path: 'zeros', content: 'x', claimedSize: 8_000_000_000 }]);
    await expectRefused(packageOf(gzipSync(tar)), 'decompression bomb');
  });

  it('F20 a truncated gzip is refused', () => {
    const whole = makePackage('true', { data: 'x'.repeat(5000) }).bytes;
    return expectRefused(packageOf(whole.subarray(0, whole.length - 20)), 'ends too early');
  });

  it('F20 a truncated tar is refused', () => {
    const tar = tarOf([SCRIPT, { path: 'data', content: 'y'.repeat(5000) }]);
    return expectRefused(packageOf(gzipSync(tar.subarray(0, 3000))), 'cannot be unpacked');
  });

  it('F20 trailing data is refused', () =>
    expectRefused(
      packageOf(Buffer.concat([makePackage('true').bytes, Buffer.from('trailing data')])),
      'damaged or followed',
    ));

  it('F20 trailing zeros are refused', () =>
    expectRefused(
      packageOf(Buffer.concat([makePackage('true').bytes, Buffer.alloc(100)])),
      'data after its end',
    ));

  describe('G33 of other tools', () => {
    const LATIN1 = Buffer.from('gr\u00fc\u00dfe', 'latin1');
    const REFUSED: Record<string, { entries: ArchiveEntry[]; says: string }> = {
      'a file with holes, as GNU tar describes it in pax records': {
        entries: [
          SCRIPT,
          paxHeader({ 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 'f' }),
          { path: 'GNUSparseFile.0/f', content: '0\n' },
        ],
        says: 'without --sparse',
      },
      'a file with holes, as Solaris describes it': {
        entries: [SCRIPT, paxHeader({ 'SUN.holesdata': ' 0 10' }), { path: 'f', content: 'x' }],
        says: 'holes',
      },
      'an extension that nobody here knows': {
        entries: [SCRIPT, paxHeader({ 'ACME.encrypted': '1' }), { path: 'f', content: 'x' }],
        says: '"ACME.encrypted"',
      },
      'an extension for all entries that nobody here knows': {
        entries: [paxHeader({ 'ACME.packed': '1' }, 'GlobalExtendedHeader'), SCRIPT],
        says: '"ACME.packed"',
      },
      'a name in another character set that says so': {
        entries: [
          SCRIPT,
          paxHeader({ hdrcharset: 'BINARY', path: LATIN1 }),
          { path: 'f', content: 'x' },
        ],
        says: 'UTF-8',
      },
      'a long name in another character set': {
        entries: [SCRIPT, paxHeader({ path: LATIN1 }), { path: 'f', content: 'x' }],
        says: 'not UTF-8',
      },
      'a name with a line feed in a pax record': {
        entries: [SCRIPT, paxHeader({ path: 'a\nb' }), { path: 'f', content: 'x' }],
        says: 'control characters',
      },
      'pax records that do not add up': {
        entries: [
          SCRIPT,
          { path: 'PaxHeader', type: 'ExtendedHeader', content: '99 path=other\n' },
          { path: 'f', content: 'x' },
        ],
        says: 'damaged',
      },
      'a package in a folder of its own': {
        entries: [
          { path: 'pump-2.1.0/', type: 'Directory' },
          { path: 'pump-2.1.0/install.sh', content: 'true' },
        ],
        says: 'it has pump-2.1.0/install.sh',
      },
    };
    for (const [title, { entries, says }] of Object.entries(REFUSED)) {
      it(`${title} is refused`, () => expectRefused(packEntries(entries), says));
    }

    it('a plain name in another character set is refused', () => {
      const tar = tarOf([SCRIPT, { path: 'gr__e', content: 'x' }]);
      const at = tar.indexOf('gr__e');
      LATIN1.copy(tar, at);
      const header = tar.subarray(at, at + 512);
      header.fill(' ', 148, 156);
      const sum = header.reduce((total, byte) => total + byte, 0);
      header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
      return expectRefused(packageOf(gzipSync(tar)), 'not UTF-8');
    });

    const SCRIPTS: Record<string, { script: string | Buffer; says: string }> = {
      'Windows line endings': {
        script: 'set -e\r\nfalse\r\n',
        says: 'Windows line endings (line 1)',
      },
      'one Windows line ending': { script: '#!/bin/bash\nset -e\r\nfalse\n', says: '(line 2)' },
      'the line endings of old Macs': { script: 'set -e\rfalse\r', says: 'line 1' },
      'a byte order mark': { script: '\uFEFFset -e\nfalse\n', says: 'byte order mark' },
      'two bytes a character': { script: Buffer.from('\uFEFFset -e\n', 'utf16le'), says: 'UTF-16' },
      'a program instead of a script': {
        script: Buffer.from('7f454c4602010100', 'hex'),
        says: 'binary',
      },
    };
    for (const [what, { script, says }] of Object.entries(SCRIPTS)) {
      it(`an install.sh with ${what} is refused`, () =>
        expectRefused(packEntries([{ path: 'install.sh', content: script }]), says));
    }

    for (const [what, { bytes, says }] of Object.entries({
      'a zip archive': { bytes: Buffer.from('PK\u0003\u0004 and more'), says: 'a zip archive' },
      'a tar archive without compression': { bytes: tarOf([SCRIPT]), says: 'without compression' },
    })) {
      it(`${what} is called by its name`, () => expectRefused(packageOf(bytes), says));
    }

    describe('as GNU tar makes them', () => {
      let folder: string;
      beforeEach(async () => {
        folder = await mkdtemp(path.join(tmpdir(), 'ota-tree-'));
        await writeFile(path.join(folder, 'install.sh'), 'cp -r . "$OTA_ROOT/app/copy"\n');
      });
      afterEach(() => rm(folder, { recursive: true }));
      const tar = (...options: string[]) =>
        packageOf(execFileSync('tar', ['-C', folder, ...options, '-cz', '.']));

      for (const format of ['gnu', 'oldgnu', 'posix']) {
        it(`files with holes in the format ${format} are refused`, async () => {
          await writeFile(path.join(folder, 'disk.img'), 'x');
          await truncate(path.join(folder, 'disk.img'), 10_000_000);
          await expectRefused(tar(`--format=${format}`, '--sparse'), 'sparse');
        });

        if (format === 'oldgnu') continue;
        it(`long names in any script are unpacked as they are, in the format ${format}`, async () => {
          const long = `${'\u00fc'.repeat(100)}/${'\u65e5'.repeat(80)}`;
          await mkdir(path.join(folder, path.dirname(long)));
          await writeFile(path.join(folder, long), 'content');
          server.offerPackage(tar(`--format=${format}`, '--xattrs', '--acls'));
          const exit = await device.once();
          expect(exit.code, exit.stderr).to.equal(0);
          expect(await device.read(path.join('app/copy', long))).to.equal('content');
        });
      }
    });

    it('what git archive says of its commit does no harm', async () => {
      const comment = paxHeader({ comment: 'a'.repeat(40) }, 'GlobalExtendedHeader');
      server.offerPackage(packEntries([comment, SCRIPT]));
      expect((await device.once()).code).to.equal(0);
    });

    it('a script may carry data behind its text', async () => {
      const script = Buffer.concat([Buffer.from('exit 0\n'), Buffer.from([0x1f, 0, 0x0d, 0x0a])]);
      server.offerPackage(packEntries([{ path: 'install.sh', content: script }]));
      expect((await device.once()).code).to.equal(0);
    });
  });

  it('something that is no archive is refused', () =>
    expectRefused(packageOf(gzipSync('hello '.repeat(1000))), 'cannot be unpacked'));

  it('an empty archive is refused', () =>
    expectRefused(packageOf(gzipSync(Buffer.alloc(1024))), 'cannot be unpacked'));
});
