import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  BOOT_ADAPTERS,
  BootFailure,
  type BootTarget,
} from '../../../agent/device/boot/boot-adapter.ts';
import { SystemdBootAdapter } from '../../../agent/device/boot/systemd-boot.ts';
import { findProgram } from '../../../dev/programs.ts';
import {
  BOOT_LOADERS,
  BY_BOOTCTL,
  MAX_BOOTS,
  type SimulatedDevice,
  listByBootctl,
} from './boot-loaders.ts';

async function failureOf(action: Promise<unknown>): Promise<BootFailure> {
  const error = await action.then(
    () => expect.fail('it did not fail'),
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(BootFailure);
  return error as BootFailure;
}

describe('boot adapters', () => {
  it('are all under this contract', () => {
    const tested = BOOT_LOADERS.map(({ name }) => name);
    expect([...new Set(['none', ...tested])]).to.have.members([...BOOT_ADAPTERS]);
  });

  for (const loader of BOOT_LOADERS) {
    describe([loader.name, loader.variant].filter(Boolean).join(', '), () => {
      let device: SimulatedDevice;

      before(function () {
        if (loader.programs.some((program) => findProgram(program) === null)) this.skip();
      });

      beforeEach(async () => {
        device = await loader.setUp();
      });

      afterEach(() => device.close());

      async function arm(): Promise<BootTarget> {
        const target = await device.adapter.select(await device.install());
        await device.adapter.arm(target);
        device.onTrial = true;
        return target;
      }

      it('finds a device that is set up in order', async () => {
        await device.adapter.check();
      });

      it('starts the new system, and keeps it after a commit', async () => {
        const target = await arm();
        expect(await device.start(true)).to.equal('new');
        expect(await device.adapter.bootedNew(target)).to.equal(true);
        await device.adapter.commit(target);
        device.onTrial = false;
        expect(await device.adapter.bootedNew(target)).to.equal(true);
        for (let starts = 0; starts <= MAX_BOOTS + 1; starts += 1) {
          expect(await device.start()).to.equal('new');
        }
        expect(await device.adapter.bootedNew(target)).to.equal(true);
      });

      it('returns to the old system when the new one never comes up', async () => {
        const target = await arm();
        expect(await device.start(true)).to.equal('new');
        let system = 'new';
        for (let starts = 0; starts < MAX_BOOTS && system === 'new'; starts += 1) {
          system = await device.start();
        }
        expect(system).to.equal('old');
        expect(await device.adapter.bootedNew(target)).to.equal(false);
        await device.adapter.revert(target);
        expect(await device.start()).to.equal('old');
      });

      it('returns to the old system on demand, also after a commit', async () => {
        for (const committed of [false, true]) {
          const target = await arm();
          expect(await device.start(true)).to.equal('new');
          if (committed) await device.adapter.commit(target);
          await device.adapter.revert(target);
          expect(await device.start(), `committed: ${committed}`).to.equal('old');
          expect(await device.adapter.bootedNew(target)).to.equal(false);
          expect(await device.start()).to.equal('old');
        }
      });

      it('does the same when each call is repeated after a power cut', async () => {
        const { adapter } = device;
        let target = await arm();
        await adapter.arm(target);
        expect(await device.start(true)).to.equal('new');
        await adapter.commit(target);
        await adapter.commit(target);
        device.onTrial = false;
        expect(await device.start()).to.equal('new');
        await adapter.revert(target);
        await adapter.revert(target);
        expect(await device.start()).to.equal('old');
        target = await arm();
        expect(await device.start(true)).to.equal('new');
        await adapter.revert(target);
        await adapter.revert(target);
        expect(await device.start()).to.equal('old');
      });

      it('can be reverted before the device has rebooted', async () => {
        const target = await arm();
        await device.adapter.revert(target);
        expect(await device.start()).to.equal('old');
      });

      it('runs the old system when the device restarts in the middle of install.sh', async () => {
        const { adapter } = device;
        const before = (await adapter.beforeInstall?.()) ?? null;
        await device.install();
        const started = await device.start();
        if (before === null) {
          expect(started).to.equal('old');
          return;
        }
        expect(await adapter.bootedNew(before)).to.equal(started === 'new');
        await adapter.revert(before);
        expect(await device.start()).to.equal('old');
      });

      if (loader.name !== 'u-boot' && loader.name !== 'command') {
        it('rejects an update that brings no new system', async () => {
          const { message } = await failureOf(device.adapter.select(''));
          expect(message).to.include('install.sh has to');
        });
      }

      it('describes what it promises in one sentence or two', () => {
        expect(device.adapter.describe()).to.match(/^\S.*\.$/);
      });

      if (loader.hasFiles) {
        it('reports a boot environment that cannot be written', async () => {
          await device.makeUnwritable?.();
          const { message } = await failureOf(device.adapter.check());
          expect(message).to.match(/cannot be (written|read)/);
        });
      }

      const { tool } = loader;
      if (tool !== undefined) {
        it('reports a tool that is not installed, and where it comes from', async () => {
          const folder = await mkdtemp(join(tmpdir(), 'ota-boot-'));
          const { PATH } = process.env;
          process.env['PATH'] = folder;
          try {
            const { message } = await failureOf(loader.absent(folder).check());
            expect(message).to.include(tool).and.include('Debian');
          } finally {
            process.env['PATH'] = PATH;
            await rm(folder, { recursive: true });
          }
        });
      }
    });
  }

  it('leave entries that bootctl understands, with the starts they have left', async function () {
    if (BY_BOOTCTL.programs.some((program) => findProgram(program) === null)) this.skip();
    const device = await BY_BOOTCTL.setUp();
    const entries = async () =>
      (await listByBootctl(device.boot ?? '')).map(({ id, triesLeft, triesDone }) =>
        [id, triesLeft, triesDone].filter((part) => part !== undefined).join(' '),
      );
    try {
      const target = await device.adapter.select(await device.install());
      expect(await entries(), 'installed').to.deep.equal(['pump-1.conf', 'pump-2.conf 0']);
      await device.adapter.arm(target);
      expect(await entries(), 'armed').to.deep.equal([`pump-2.conf ${MAX_BOOTS}`, 'pump-1.conf']);
      await device.start();
      expect(await entries(), 'started').to.deep.equal([
        `pump-2.conf ${MAX_BOOTS - 1} 1`,
        'pump-1.conf',
      ]);
      await device.adapter.commit(target);
      expect(await entries(), 'committed').to.deep.equal(['pump-2.conf', 'pump-1.conf']);
      await device.adapter.revert(target);
      expect(await entries(), 'reverted').to.deep.equal(['pump-1.conf', 'pump-2.conf 0']);
    } finally {
      await device.close();
    }
  });

  it('systemd-boot: a rollback works when the new entry is gone with the files that were restored', async () => {
    const boot = await mkdtemp(join(tmpdir(), 'ota-boot-'));
    try {
      await mkdir(join(boot, 'loader', 'entries'), { recursive: true });
      await writeFile(join(boot, 'loader', 'entries', 'old.conf'), '');
      const target = { old: 'old.conf', new: 'new.conf' };
      await new SystemdBootAdapter(boot, MAX_BOOTS).revert(target);
      expect(await readdir(join(boot, 'loader', 'entries'))).to.deep.equal(['old.conf']);
    } finally {
      await rm(boot, { recursive: true, force: true });
    }
  });
});
