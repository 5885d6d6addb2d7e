import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { mountsIn } from '../../agent/files/mounts.ts';
import { removeTree } from '../../agent/files/remove-tree.ts';
import { DeviceServer, type TestOffer } from '../support/agent/device-server.ts';
import { canMountPrivately, onSmallDisk } from '../support/agent/mount-namespace.ts';
import { type Package, makePackage } from '../support/agent/package-builder.ts';
import { Sandbox } from '../support/agent/sandbox.ts';

const MB = 1024 * 1024;
const GOOD = makePackage('echo new > "$OTA_ROOT/app/version.txt"');
const NOBODY = 65534;

describe('agent: what the disk may do', () => {
  let server: DeviceServer;
  let device: Sandbox;

  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url);
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
  });

  describe('a small one, full for real', () => {
    before(function () {
      if (!canMountPrivately()) this.skip();
    });

    /** A package of which neither this nor what comes of it fits. */
    const ofSize = (bytes: number): Package =>
      makePackage('true', { 'firmware.bin': randomBytes(bytes) });

    async function expectNoSpace(made: Package): Promise<void> {
      const before = await device.picture();
      server.offerPackage(made);
      const exit = await device.once();
      expect(exit.code, exit.stderr).to.equal(10);
      expect(server.statuses).to.deep.equal(['downloading', 'failed']);
      expect(server.lastReport.error_message).to.match(/Not enough space|disk is full/);
      expect(await device.picture()).to.equal(before);
      // The next update finds the room that this one took.
      server.offerPackage(GOOD);
      const next = await device.once();
      expect(next.code, next.stderr).to.equal(0);
      expect(server.lastReport.status).to.equal('completed');
    }

    it('G28 a package larger than the disk: failed before a byte is fetched, and the device goes on', async () => {
      const small = await onSmallDisk(device, 8 * MB);
      try {
        await expectNoSpace(ofSize(20 * MB));
      } finally {
        await small.end();
      }
    });

    it('G28 a package of unknown length: stopped while there is room to say so', async () => {
      const small = await onSmallDisk(device, 8 * MB);
      try {
        const made = ofSize(20 * MB);
        server.servePackage = (_request, response) => {
          const { bytes } = server.package as Package;
          response.writeHead(200, { etag: server.etag });
          response.write(bytes.subarray(0, 1000));
          response.end(bytes.subarray(1000));
          return true;
        };
        await expectNoSpace(made);
      } finally {
        await small.end();
      }
    });

    it('G28 the package fits and what is in it does not', async () => {
      const small = await onSmallDisk(device, 12 * MB);
      try {
        await expectNoSpace(ofSize(6 * MB));
      } finally {
        await small.end();
      }
    });

    it('G28 the saved state does not fit', async () => {
      const small = await onSmallDisk(device, 12 * MB);
      try {
        await device.write('app/large', 'x'.repeat(9 * MB));
        const before = await device.picture();
        server.offerPackage(GOOD);
        expect((await device.once()).code).to.equal(10);
        expect(server.lastReport.error_message).to.include('Not enough space');
        expect(await device.picture()).to.equal(before);
      } finally {
        await small.end();
      }
    });

    it('G28 0 bytes left by an agent of before: what it had fetched goes, the end is reported, polls go on', async () => {
      const small = await onSmallDisk(device, 8 * MB);
      try {
        const offer = server.offerPackage(ofSize(20 * MB)) as TestOffer;
        const run = `${offer.deployment_id}-${offer.attempt}`;
        await small.run(
          `mkdir -p "$STATE/work/${run}" && head -c 100M /dev/zero > "$STATE/work/${run}/package.tar.gz"; true`,
        );
        expect(await small.free()).to.equal(0);
        const exit = await device.once();
        expect(exit.code, exit.stderr).to.equal(10);
        expect(exit.stderr).to.not.include('    at ');
        expect(server.statuses).to.deep.equal(['downloading', 'failed']);
        expect(await small.free()).to.be.above(4 * MB);
        expect((await device.once()).code).to.equal(0);
      } finally {
        await small.end();
      }
    });

    it('G28 a disk that others have filled to the last byte: it starts, polls and sends heartbeats', async () => {
      const small = await onSmallDisk(device, 4 * MB);
      try {
        expect((await device.once()).code).to.equal(0);
        await small.run('cat /dev/zero > "$STATE/of-somebody-else"; true');
        expect(await small.free()).to.equal(0);
        for (const polls of [2, 3]) {
          const exit = await device.once();
          expect(exit.code, exit.stderr).to.equal(0);
          expect(server.polls).to.have.length(polls);
          expect(server.heartbeats).to.have.length(polls);
        }
        server.offerPackage(GOOD);
        const full = await device.once();
        expect(full.code, full.stderr).to.equal(1);
        expect(full.stderr).to.not.include('    at ');
        await small.run('rm "$STATE/of-somebody-else"');
        expect((await device.once()).code).to.equal(0);
        expect(server.lastReport.status).to.equal('completed');
      } finally {
        await small.end();
      }
    });

    it('G28 install.sh fills the disk that everything is on: what is put back finds the room', async () => {
      await device.write('app/large', 'old'.repeat(MB));
      await device.settle();
      const small = await onSmallDisk(device, 24 * MB, device.dir);
      try {
        server.offerPackage(
          makePackage(
            'echo new > "$OTA_ROOT/app/large"; cat /dev/zero > "$OTA_ROOT/filled"; exit 1',
            { 'firmware.bin': randomBytes(4 * MB) },
          ),
        );
        const exit = await device.once();
        expect(exit.code, exit.stderr).to.equal(11);
        expect(await small.run(`wc -c < "${device.root('app/large')}"`)).to.equal(`${3 * MB}\n`);
        expect(server.statuses).to.deep.equal(['downloading', 'installing', 'rolled_back']);
      } finally {
        await small.end();
        await device.configure({});
      }
    });

    it('G28 install.sh fills the disk: back to the old version, and said so', async () => {
      const small = await onSmallDisk(device, 10 * MB);
      try {
        const before = await device.picture();
        server.offerPackage(
          makePackage(
            'echo new > "$OTA_ROOT/app/version.txt"; cat /dev/zero > "$OTA_AGENT_FILL"; exit 1'.replace(
              '$OTA_AGENT_FILL',
              `${device.state()}/filled`,
            ),
          ),
        );
        const exit = await device.once();
        expect(exit.code, exit.stderr).to.equal(11);
        expect(await device.picture()).to.equal(before);
        expect(server.lastReport.status).to.equal('rolled_back');
      } finally {
        await small.end();
      }
    });
  });

  describe('what cannot be removed', () => {
    it('G29 an immutable file left in the work folder: the device updates, and names it once', async function () {
      const left = device.state('work/deployment-0-1/left/behind');
      await mkdir(dirname(left), { recursive: true });
      await writeFile(left, 'x');
      try {
        execFileSync('chattr', ['+i', left], { stdio: 'ignore' });
      } catch {
        this.skip();
      }
      try {
        server.offerPackage(GOOD);
        const exit = await device.once();
        expect(exit.code, exit.stderr).to.equal(0);
        expect(server.lastReport.status).to.equal('completed');
        expect(exit.stderr.split('cannot be removed, and is tried again')).to.have.length(2);
        expect(exit.stderr).to.include(left);
      } finally {
        execFileSync('chattr', ['-i', left]);
      }
      expect((await device.once()).code).to.equal(0);
      expect(existsSync(device.state('work/deployment-0-1'))).to.equal(false);
    });

    for (const place of ['work', 'snapshots']) {
      it(`G29 a read-only folder below ${place}, for an agent that is not root`, async function () {
        if (process.getuid?.() !== 0) this.skip();
        const folder = device.state(`${place}/old-1/read-only`);
        await mkdir(folder, { recursive: true });
        await writeFile(`${folder}/file`, 'x');
        await chmod(folder, 0o500);
        execFileSync('chown', ['-R', `${NOBODY}`, device.dir]);
        await chmod(device.dir, 0o755);
        device.prefix = ['setpriv', `--reuid=${NOBODY}`, '--clear-groups'];
        const exit = await device.once();
        expect(exit.code, exit.stderr).to.equal(0);
        expect(existsSync(device.state(`${place}/old-1`))).to.equal(false);
      });

      it(`G29 a folder of somebody else below ${place}: left, and the device polls and updates`, async function () {
        if (process.getuid?.() !== 0) this.skip();
        const folder = device.state(`${place}/old-1/foreign`);
        await mkdir(folder, { recursive: true });
        await writeFile(`${folder}/file`, 'x');
        execFileSync('chown', ['-R', `${NOBODY}`, device.dir]);
        await chown(folder, 0, 0);
        await chmod(folder, 0o700);
        await chmod(device.dir, 0o755);
        device.prefix = ['setpriv', `--reuid=${NOBODY}`, '--clear-groups'];
        server.offerPackage(GOOD);
        const exit = await device.once();
        expect(exit.code, exit.stderr).to.equal(0);
        expect(server.lastReport.status).to.equal('completed');
        expect(exit.stderr).to.include('cannot be removed, and is tried again');
      });
    }

    it('G29 things nobody expects in the outbox, the work folder and the snapshots', async () => {
      await mkdir(device.state('outbox/000000000009.json/x'), { recursive: true });
      await mkdir(device.state('outbox/folder.new/x'), { recursive: true });
      await mkdir(device.state('work'), { recursive: true });
      await writeFile(device.state('work/a-file'), 'x');
      await mkdir(device.state('snapshots'), { recursive: true });
      await writeFile(device.state('snapshots/a-file'), 'x');
      server.offerPackage(GOOD);
      const exit = await device.once();
      expect(exit.code, exit.stderr).to.equal(0);
      expect(server.lastReport.status).to.equal('completed');
      expect(existsSync(device.state('work/a-file'))).to.equal(false);
      expect(existsSync(device.state('snapshots/a-file'))).to.equal(false);
    });

    it('G29 install.sh leaves a mount in the work folder: what is mounted is not touched', async function () {
      if (!canMountPrivately()) this.skip();
      const data = device.root('data');
      await mkdir(data);
      await writeFile(`${data}/precious`, 'x');
      const folder = device.state('work/old-1/mnt');
      await mkdir(folder, { recursive: true });
      await writeFile(device.state('work/old-1/other'), 'x');
      device.prefix = [
        ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c'],
        `mount --bind "${data}" "${folder}" && exec "$@"`,
        'sh',
      ];
      server.offerPackage(GOOD);
      const exit = await device.once();
      expect(exit.code, exit.stderr).to.equal(0);
      expect(await readFile(`${data}/precious`, 'utf8')).to.equal('x');
      expect(existsSync(device.state('work/old-1/other'))).to.equal(false);
      expect(exit.stderr).to.include('is a mount point');
    });

    it('G29 removing what is not there is no fault', async () => {
      expect(await removeTree(device.state('nothing'))).to.deep.equal([]);
    });

    it('G29 mount points are read as the kernel writes them', () => {
      const line = '36 35 98:0 /mnt1 /mnt/with\\040blank rw,noatime - ext3 /dev/root rw';
      expect(mountsIn(`${line}\n`)).to.deep.equal([{ point: '/mnt/with blank', readOnly: false }]);
    });
  });
});
