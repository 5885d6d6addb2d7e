import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createGzip, gzipSync } from 'node:zlib';
import { DeviceServer } from './support/device-server.ts';
import {
  type ArchiveEntry,
  type Package,
  makePackage,
  packEntries,
  packageOf,
  tarOf,
} from './support/package-builder.ts';
import { Sandbox } from './support/sandbox.ts';

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
    says: 'SymbolicLink',
  },
  'F15 a hard link out of the folder': {
    entries: [SCRIPT, { path: 'passwd', type: 'Link', linkpath: '/etc/passwd' }],
    says: 'Link',
  },
  'F16 a character device': {
    entries: [SCRIPT, { path: 'null', type: 'CharacterDevice' }],
    says: 'CharacterDevice',
  },
  'F16 a block device': {
    entries: [SCRIPT, { path: 'disk', type: 'BlockDevice' }],
    says: 'BlockDevice',
  },
  'F16 a FIFO': { entries: [SCRIPT, { path: 'pipe', type: 'FIFO' }], says: 'FIFO' },
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
    says: 'SymbolicLink',
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
    says: 'SymbolicLink',
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
      'data behind its end',
    ));

  it('something that is no archive is refused', () =>
    expectRefused(packageOf(gzipSync('hello '.repeat(1000))), 'cannot be unpacked'));

  it('an empty archive is refused', () =>
    expectRefused(packageOf(gzipSync(Buffer.alloc(1024))), 'cannot be unpacked'));
});
