import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { canMountPrivately } from '../support/agent/mount-namespace.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { RebootingDevice, STAYS_UP_FOR } from '../support/agent/rebooting-device.ts';

const NEW_FILES = 'echo new > "$OTA_ROOT/app/version.txt"';
const WITH_REBOOT = makePackage(`${NEW_FILES}; echo entry-2 > "$OTA_REBOOT_REQUIRED"`);
const SICK = makePackage(`${NEW_FILES}; : > "$OTA_REBOOT_REQUIRED"; touch "$OTA_ROOT/app/sick"`);
const HEALTHY_UNLESS_SICK = {
  health: { checks: [{ type: 'command', command: '! test -e app/sick', retries: 0 }] },
};

describe('agent: reboots', function () {
  this.timeout(30_000);

  let device: RebootingDevice;

  before(function () {
    if (!canMountPrivately()) this.skip();
  });

  beforeEach(async () => {
    device = await RebootingDevice.create({ change: HEALTHY_UNLESS_SICK });
  });

  afterEach(() => device.remove());

  /** What is where: files, recorded version, running system, and the one that starts from now on. */
  async function state(): Promise<object> {
    return {
      files: (await device.sandbox.read('app/version.txt')).trim(),
      version: await device.sandbox.currentVersion(),
      running: await device.running(),
      usual: await readFile(device.boot('usual'), 'utf8'),
      onTrial: existsSync(device.sandbox.state('reboot-on-trial')),
    };
  }

  const NEW = { files: 'new', version: '2.0.0', running: 'new', usual: 'new', onTrial: false };
  const OLD = { files: 'old', version: '1.0.0', running: 'old', usual: 'old', onTrial: false };

  it('completes an update only after the new system has started and is healthy', async () => {
    device.server.offerPackage(WITH_REBOOT);
    const { signal } = await device.sandbox.once();
    expect(signal).to.equal('SIGKILL');
    expect((await device.sandbox.open()).active?.step).to.equal('reboot');
    expect(existsSync(device.sandbox.state('reboot-on-trial'))).to.equal(true);
    expect(device.server.statuses).to.not.include('completed');
    expect(device.server.lastReport).to.include({ status: 'verifying', activity: 'rebooting' });
    const [exit] = await device.settle();
    expect(exit?.code).to.equal(0);
    expect(await state()).to.deep.equal(NEW);
    expect(await device.starts()).to.deep.equal(['new']);
    expect(device.server.statuses.at(-1)).to.equal('completed');
  });

  it('does not reboot for a package that does not request it', async () => {
    device.server.offerPackage(makePackage(NEW_FILES));
    const exits = await device.settle();
    expect(exits.map(({ code }) => code)).to.deep.equal([0]);
    expect(await device.starts()).to.deep.equal([]);
  });

  it('rolls back when the boot loader returns to the old system', async () => {
    await writeFile(device.boot('unbootable'), 'new');
    device.server.offerPackage(WITH_REBOOT);
    await device.settle();
    expect(await state()).to.deep.equal(OLD);
    expect(await device.starts()).to.deep.equal(['old']);
    const { status, error_message } = device.server.lastReport;
    expect(status).to.equal('rolled_back');
    expect(error_message).to.include('The new system did not come up');
  });

  it('rolls back over a second reboot when the new system is not healthy', async () => {
    device.server.offerPackage(SICK);
    await device.settle();
    expect(await state()).to.deep.equal(OLD);
    expect(await device.starts()).to.deep.equal(['new', 'old']);
    expect(device.server.lastReport).to.include({
      status: 'rolled_back',
      installed_version: '1.0.0',
    });
  });

  it('rolls back a new system that starts again and again without being found healthy', async () => {
    await device.configure({
      change: {
        health: {
          checks: [
            {
              type: 'command',
              command: `[ "$(cat ${device.boot('running')})" = old ] || kill -9 $PPID`,
            },
          ],
          max_interrupted_runs: 100,
        },
        reboot: { max_boots: 2 },
      },
    });
    device.server.offerPackage(WITH_REBOOT);
    await device.sandbox.once();
    for (let starts = 0; starts < 2; starts += 1) {
      const { signal } = await device.sandbox.once();
      expect(signal).to.equal('SIGKILL');
      await writeFile(device.boot('once'), 'new');
      await device.powerCycle();
    }
    await device.settle();
    expect(await state()).to.deep.equal(OLD);
    expect(device.server.lastReport.error_message).to.include('started 3 times');
  });

  it('rolls back when the reboot command fails, and when the device stays up', async () => {
    for (const [rebootCommand, reason] of [
      ['echo not now; exit 3', 'The reboot command exited with code 3'],
      ['true', `The device did not reboot within ${STAYS_UP_FOR} seconds`],
    ] as const) {
      await device.configure({ rebootCommand });
      device.server.offerPackage(WITH_REBOOT);
      await device.settle();
      expect(await state(), rebootCommand).to.deep.equal(OLD);
      expect(device.server.lastReport.error_message).to.include(reason);
      expect(await device.starts()).to.deep.equal([]);
    }
  });

  it('reboots within the maintenance window only, and keeps reporting until then', async () => {
    device.server.offerPackage(WITH_REBOOT);
    await device.configure({
      change: {
        install: {
          permission_command: {
            command: '! test -e app/version.txt || ! grep -q new app/version.txt',
          },
        },
      },
    });
    const waiting = await device.sandbox.once();
    expect(waiting.code).to.equal(13);
    expect((await device.sandbox.open()).active?.step).to.equal('reboot');
    expect(device.server.statuses.at(-1)).to.equal('verifying');
    await device.configure({ change: HEALTHY_UNLESS_SICK });
    await device.settle();
    expect(await state()).to.deep.equal(NEW);
  });

  it('rolls back when install.sh reboots the device itself, and reports how to request it', async () => {
    device.server.offerPackage(
      makePackage(
        `${NEW_FILES}; sh ${device.boot('start.sh')} ${device.sandbox.dir}; kill -9 $PPID; sleep 9`,
      ),
    );
    await device.settle();
    expect(await state()).to.deep.equal(OLD);
    expect(device.server.lastReport.error_message)
      .to.include('while install.sh was running')
      .and.include('OTA_REBOOT_REQUIRED');
  });

  it('reboots back on a rollback that the server requests later', async () => {
    device.server.offerPackage(WITH_REBOOT);
    await device.settle();
    device.server.rollback = { deployment_id: 'deployment-1', version: '1.0.0', attempt: 1 };
    await device.settle();
    expect(await state()).to.deep.equal(OLD);
    expect(await device.starts()).to.deep.equal(['new', 'old']);
    expect(device.server.lastReport.status).to.equal('rolled_back');
  });

  it('without an adapter, reboots back only where files for the boot were restored', async () => {
    for (const [paths, starts] of [
      [['app'], 2],
      [['elsewhere'], 1],
    ] as const) {
      const fresh = await RebootingDevice.create();
      try {
        await fresh.configure({
          adapter: 'none',
          change: {
            ...HEALTHY_UNLESS_SICK,
            reboot: { paths: paths.map((path) => fresh.sandbox.root(path)) },
          },
        });
        fresh.server.offerPackage(SICK);
        await fresh.settle();
        expect(await fresh.starts(), String(paths)).to.have.length(starts);
        expect((await fresh.sandbox.read('app/version.txt')).trim()).to.equal('old');
        expect(fresh.server.lastReport.status).to.equal('rolled_back');
      } finally {
        await fresh.remove();
      }
    }
  });

  it('reboots back where the boot loader tells what runs by files that the rollback restores', async () => {
    await device.configure({
      bootedNew: `grep -q new ${device.sandbox.root('app/version.txt')}`,
      change: HEALTHY_UNLESS_SICK,
    });
    device.server.offerPackage(WITH_REBOOT);
    await device.settle();
    device.server.rollback = { deployment_id: 'deployment-1', version: '1.0.0', attempt: 1 };
    await device.settle();
    expect(await state()).to.deep.equal(OLD);
    expect(await device.starts()).to.deep.equal(['new', 'old']);
  });

  it('verifies the running system again when the agent was killed before it had the answer', async () => {
    await writeFile(device.boot('unbootable'), 'new');
    device.server.offerPackage(WITH_REBOOT);
    await device.sandbox.once();
    await device.configure({ bootedNew: 'kill -KILL $PPID', change: HEALTHY_UNLESS_SICK });
    expect((await device.sandbox.once()).signal).to.equal('SIGKILL');
    await device.configure({ change: HEALTHY_UNLESS_SICK });
    await device.settle();
    expect(await state()).to.deep.equal(OLD);
    expect(device.server.lastReport.status).to.equal('rolled_back');
  });

  it('reboots back when the device restarted while install.sh replaced what it starts from', async () => {
    await device.configure({
      adapter: 'none',
      change: { reboot: { paths: [device.sandbox.root('app')] } },
    });
    device.server.offerPackage(makePackage(`${NEW_FILES}; kill -9 $PPID`));
    await device.sandbox.once();
    await device.powerCycle();
    await device.settle();
    expect((await device.sandbox.read('app/version.txt')).trim()).to.equal('old');
    expect(await device.starts()).to.have.length(2);
    expect(device.server.lastReport.status).to.equal('rolled_back');
  });

  it('has the commit of the boot loader on disk before that of the journal', async () => {
    device.server.offerPackage(WITH_REBOOT);
    await device.sandbox.once();
    await device.sandbox.once({
      FAULT_KILL_STEP: 'commit',
      FAULT_KILL_WHEN: 'after',
      FAULT_LOSE_UNFLUSHED: '1',
      FAULT_BOOT_LOADER: device.boot('usual'),
    });
    expect((await device.sandbox.open()).active?.step).to.equal('commit');
    await device.powerCycle();
    await device.settle();
    expect(await state()).to.deep.equal(NEW);
  });

  describe('stopped while the boot loader does not answer', () => {
    const STOPPED = 'kill -TERM $PPID; exit 2';

    it('does not report a restore as failed', async () => {
      const silent = device.boot('silent');
      await device.configure({
        bootedNew: `if [ -e ${silent} ]; then ${STOPPED}; fi; [ "$(cat ${device.boot('running')})" = new ]`,
        change: {
          health: {
            checks: [
              { type: 'command', command: `! test -e app/sick || ! touch ${silent}`, retries: 0 },
            ],
          },
        },
      });
      device.server.offerPackage(SICK);
      await device.sandbox.once();
      await device.sandbox.once();
      expect((await device.sandbox.open()).active).to.include({
        step: 'restore',
        restore_failures: 0,
      });
      expect(device.server.statuses.at(-1)).to.equal('verifying');
      await rm(silent);
      await device.settle();
      expect(await state()).to.deep.equal(OLD);
      expect(device.server.statuses.slice(-2)).to.deep.equal(['verifying', 'rolled_back']);
    });

    it('does not roll back an update with a new agent', async () => {
      // What the launcher gives the agent: its folder, and a standard input that stays open.
      const input = device.boot('input');
      execFileSync('mkfifo', [input]);
      device.sandbox.prefix.push(
        ...['env', `OTA_AGENT_HOME=${device.sandbox.state('agent')}`],
        ...['sh', '-c', 'exec 0<>"$0" && exec "$@"', input],
      );
      device.server.offerPackage(
        makePackage(
          `${NEW_FILES}; cp ota-agent.cjs "$OTA_AGENT_FOLDER"; : > "$OTA_REBOOT_REQUIRED"`,
          { 'ota-agent.cjs': '' },
        ),
      );
      await device.sandbox.once();
      expect((await device.sandbox.once()).code).to.equal(14);
      expect((await device.sandbox.open()).active?.step).to.equal('trial');
      await writeFile(device.boot('once'), 'new');
      await device.powerCycle();
      await device.configure({ bootedNew: STOPPED, change: HEALTHY_UNLESS_SICK });
      const { stderr } = await device.sandbox.once();
      expect(stderr).to.include('SIGTERM: stopping');
      expect((await device.sandbox.open()).active?.step).to.equal('trial');
      expect(device.server.statuses.at(-1)).to.equal('verifying');
    });
  });

  it('installs without a reboot where /proc does not tell one start from another', async () => {
    device.sandbox.prefix = [
      ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c'],
      'mount -t tmpfs none /proc/sys/kernel/random && exec "$@"',
      'sh',
    ];
    device.server.offerPackage(makePackage(NEW_FILES));
    const exit = await device.sandbox.once();
    expect(exit.code, exit.stderr).to.equal(0);
    expect(await state()).to.include({ files: 'new', version: '2.0.0' });
  });

  it('rolls the boot loader back even when the journal is damaged', async () => {
    device.server.offerPackage(WITH_REBOOT);
    await device.sandbox.once();
    await writeFile(device.sandbox.state('journal.json'), 'x');
    await device.settle();
    expect(await state()).to.deep.equal(OLD);
    expect(device.server.lastReport.status).to.equal('rolled_back');
  });

  it('survives a power cut while the reboot waits for its window', async () => {
    device.server.offerPackage(WITH_REBOOT);
    await device.configure({
      change: {
        install: { permission_command: { command: '! grep -q new app/version.txt' } },
      },
    });
    await device.sandbox.once();
    await device.powerCycle();
    expect((await device.sandbox.once()).code).to.equal(13);
    await device.configure({ change: HEALTHY_UNLESS_SICK });
    await device.settle();
    expect(await state()).to.deep.equal(NEW);
    expect(await device.starts()).to.deep.equal(['old', 'new']);
  });

  it('reboots for a package that is marked to need it, and rejects it untouched where it cannot', async () => {
    const marked = makePackage(NEW_FILES, { 'reboot-required': 'entry-2\n' });
    device.server.offerPackage(marked);
    await device.settle();
    expect(await state()).to.deep.equal(NEW);
    const other = await RebootingDevice.create();
    try {
      await other.sandbox.configure({
        boot: { adapter: 'u-boot', fw_env_config: other.boot('missing.config') },
      });
      other.server.offerPackage(marked);
      await other.settle();
      const { status, error_message } = other.server.lastReport;
      expect(status).to.equal('failed');
      expect(error_message).to.match(/missing.config cannot be read|not installed/);
      expect((await other.sandbox.read('app/version.txt')).trim()).to.equal('old');
      expect(other.server.statuses).to.not.include('installing');
    } finally {
      await other.remove();
    }
  });

  it('rejects a marked package where the reboot command does not exist, and says so in its status', async () => {
    for (const [command, says] of [
      ['no-such-program --now', 'is not installed: no-such-program --now'],
      ['if true; then', 'is not valid: if true; then'],
    ] as const) {
      const other = await RebootingDevice.create();
      try {
        await other.sandbox.configure({ reboot: { command } });
        other.server.offerPackage(makePackage(NEW_FILES, { 'reboot-required': '' }));
        await other.settle();
        expect(other.server.lastReport).to.include({ status: 'failed', failure_cause: 'reboot' });
        expect(other.server.lastReport.error_message).to.include(says);
        expect((await other.sandbox.read('app/version.txt')).trim()).to.equal('old');
        expect((await other.sandbox.status()).boot.problem).to.include(says);
      } finally {
        await other.remove();
      }
    }
  });

  const GOOD_STEPS = ['reboot', 'verify', 'commit', 'end', 'none'] as const;
  const SICK_STEPS = ['restore', 'reboot_restored', 'verify_restored', 'end', 'none'] as const;
  for (const [name, steps] of [
    ['good', GOOD_STEPS],
    ['unhealthy', SICK_STEPS],
  ] as const) {
    for (const step of steps) {
      for (const when of ['before', 'after']) {
        for (const restart of ['the agent starts again', 'the device starts again']) {
          it(`${name}: killed ${when} the journal takes the step ${step}, and ${restart}: old or new, never between`, async () => {
            device.server.offerPackage(name === 'good' ? WITH_REBOOT : SICK);
            const faults = { FAULT_KILL_STEP: step, FAULT_KILL_WHEN: when };
            // Until the fault has struck: the first kill may be the reboot itself.
            for (let starts = 0; starts < 3; starts += 1) {
              await device.sandbox.once(faults);
              if (await struck()) break;
            }
            expect(await struck(), 'the fault has struck').to.equal(true);
            if (restart.startsWith('the device')) await device.powerCycle();
            await device.settle();
            const ended = (await state()) as typeof NEW;
            expect(ended).to.deep.equal(ended.files === 'new' ? NEW : OLD);
            const told = device.server.statuses.at(-1);
            expect(told).to.equal(ended.files === 'new' ? 'completed' : 'rolled_back');
          });

          async function struck(): Promise<boolean> {
            const { active } = await device.sandbox.open();
            const at = active?.step ?? 'none';
            return when === 'after'
              ? at === step
              : steps.indexOf(step as never) <= steps.indexOf(at as never) + 1;
          }
        }
      }
    }
  }
});
