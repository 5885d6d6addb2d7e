import { expect } from 'chai';
import { type Mount, mountsIn, mountsOf } from '../../agent/files/mounts.ts';
import {
  type SystemState,
  degradations,
  newlyFailing,
  restartedSince,
} from '../../agent/device/steps/system-checks/system-state.ts';
import { restartsIn, unitsIn } from '../../agent/device/steps/system-checks/systemctl.ts';
import { DeviceServer } from '../support/agent/device-server.ts';
import { canMountPrivately } from '../support/agent/mount-namespace.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { Sandbox } from '../support/agent/sandbox.ts';
import { ServiceStates } from '../support/agent/service-states.ts';

const WORKS = { full: false, read_only: false };

function stateOf(failing: string[] | null, data: Partial<typeof WORKS> = {}): SystemState {
  return { failing_units: failing, file_systems: { '/': WORKS, '/data': { ...WORKS, ...data } } };
}

describe('agent: checks that every device has, as rules', () => {
  it('compare with the state before the update', () => {
    const cases: [SystemState, SystemState, string[]][] = [
      [stateOf([]), stateOf([]), []],
      [stateOf(['a.service']), stateOf(['a.service']), []],
      [stateOf(['a.service']), stateOf([]), []],
      [stateOf(['a.service']), stateOf(['a.service', 'b.mount']), ['unit b.mount has failed']],
      [stateOf([]), stateOf(null), ['systemd does not answer']],
      [stateOf(null), stateOf(null), []],
      [stateOf(null), stateOf(['a.service']), []],
      [stateOf([]), stateOf([], { full: true }), ['file system /data is full']],
      [stateOf([], { full: true }), stateOf([], { full: true }), []],
      [stateOf([]), stateOf([], { read_only: true }), ['file system /data has become read-only']],
      [stateOf([], { read_only: true }), stateOf([], { read_only: true }), []],
      // Mounted by the update.
      [
        { failing_units: [], file_systems: {} },
        stateOf([], { full: true }),
        ['file system /data is full'],
      ],
    ];
    for (const [before, now, expected] of cases) {
      expect(degradations(before, now), JSON.stringify([before, now])).to.deep.equal(expected);
    }
    expect(newlyFailing(['a.service'], ['a.service', 'b.service'])).to.deep.equal(['b.service']);
    expect(newlyFailing(null, ['a.service'])).to.deep.equal([]);
  });

  it('find services that systemd restarts again and again', () => {
    const before = new Map([['a.service', 4]]);
    expect(restartedSince(before, new Map([['a.service', 4]]))).to.deep.equal([]);
    const now = new Map([
      ['a.service', 5],
      ['b.service', 1],
    ]);
    expect(restartedSince(before, now)).to.have.length(2);
  });

  it('read what systemctl prints', () => {
    const listed =
      'getty@tty1.service loaded failed     failed       Getty on tty1\n' +
      '● app.service       loaded activating auto-restart The app\n' +
      'boot-firmware.mount loaded failed     failed       /boot/firmware\n' +
      'dev-disk-by\\x2did.swap loaded failed failed Swap\n';
    expect(unitsIn(listed)).to.deep.equal([
      'getty@tty1.service',
      'app.service',
      'boot-firmware.mount',
      'dev-disk-by\\x2did.swap',
    ]);
    expect(unitsIn('')).to.deep.equal([]);
    const shown = 'Id=a.service\nNRestarts=0\n\nNRestarts=3\nId=b.service\n\nId=c.service\n';
    expect([...restartsIn(shown)]).to.deep.equal([['b.service', 3]]);
  });

  it('look at the file systems of the paths and below them', async () => {
    const mounts: Mount[] = mountsIn(
      [
        '22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw',
        '23 22 8:1 / /nowhere/boot rw,relatime - vfat /dev/sda1 ro,errors=remount-ro',
        '24 22 8:3 / /nowhere/app/data ro - ext4 /dev/sda3 rw',
        '25 22 8:4 / /nowhere/other rw - ext4 /dev/sda4 rw',
      ].join('\n'),
    );
    const found = await mountsOf(['/nowhere/boot/firmware', '/nowhere/app'], mounts);
    expect(found.sort((a, b) => a.point.localeCompare(b.point))).to.deep.equal([
      { point: '/', readOnly: false },
      { point: '/nowhere/app/data', readOnly: true },
      { point: '/nowhere/boot', readOnly: true },
    ]);
  });
});

describe('agent: checks that every device has', function () {
  this.timeout(60_000);
  let server: DeviceServer;
  let device: Sandbox;
  let services: ServiceStates;
  let old: string;

  const NEW_FILES = 'echo new > "$OTA_ROOT/app/version.txt"';

  beforeEach(async () => {
    server = await DeviceServer.start();
    device = await Sandbox.create(server.url);
    services = await ServiceStates.install(device);
    await configure();
    old = await device.picture();
  });
  afterEach(async () => {
    await device.remove();
    await server.close();
  });

  const configure = (health: object = {}): Promise<void> =>
    device.configure({
      health: {
        watch_seconds: 0.2,
        // Makes the rounds short.
        checks: [{ type: 'command', command: 'true', interval_seconds: 0.05 }],
        ...health,
      },
    });

  async function expectRolledBack(says: string): Promise<void> {
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(11);
    expect(await device.picture()).to.equal(old);
    expect(server.lastReport).to.include({ status: 'rolled_back', failure_cause: 'health' });
    expect(server.lastReport.error_message).to.include(says).and.not.include('not healthy');
  }

  it('keep an update after which services fail that had failed before', async () => {
    await services.fail(['broken-for-years.service']);
    server.offerPackage(makePackage(NEW_FILES));
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(0);
  });

  it('roll back an update that breaks a unit, and start the unit again with its old files', async () => {
    server.offerPackage(makePackage(`${NEW_FILES}; ${services.failing('app.service')}`));
    await expectRolledBack('unit app.service has failed');
    const calls = await services.calls();
    expect(calls.indexOf('restart -- app.service')).to.be.above(calls.indexOf('daemon-reload'));
    expect(calls).to.include('daemon-reload');
  });

  it('roll back an update whose service systemd restarts again and again', async () => {
    server.offerPackage(makePackage(`${NEW_FILES}; ${services.flapping('app.service')}`));
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(11);
    expect(await device.picture()).to.equal(old);
    expect(server.lastReport.error_message).to.include('unit app.service keeps failing');
  });

  it('watch services for a while, because many fail some time after their start', async () => {
    await configure({ watch_seconds: 8 });
    server.offerPackage(makePackage(NEW_FILES));
    const agent = await device.start(['once']);
    await server.until(() => server.statuses.includes('verifying'));
    await services.fail(['app.service']);
    const exit = await agent.exit;
    expect(exit.code, exit.stderr).to.equal(11);
    expect(server.lastReport.error_message).to.include('unit app.service has failed');
  });

  it('can be turned off', async () => {
    await configure({ system_checks: false });
    server.offerPackage(makePackage(`${NEW_FILES}; ${services.failing('app.service')}`));
    const exit = await device.once();
    expect(exit.code, exit.stderr).to.equal(0);
    expect(await services.calls()).to.deep.equal([]);
  });

  it('roll back an update that fills up a file system, or makes it read-only', async function () {
    if (!canMountPrivately()) this.skip();
    for (const [change, says, status] of [
      ['head -c 4M /dev/zero > "$OTA_ROOT/app/disk/zeros" || true', 'is full', 'rolled_back'],
      // Nothing can be restored there until somebody has repaired it.
      ['mount -o remount,ro "$OTA_ROOT/app/disk"', 'has become read-only', 'failed'],
    ] as const) {
      const fresh = await Sandbox.create(server.url);
      try {
        await fresh.configure({
          health: { checks: [{ type: 'command', command: 'true', interval_seconds: 0.05 }] },
        });
        await fresh.write('app/disk/keep', 'kept');
        fresh.prefix = [
          ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c'],
          'mount -t tmpfs -o size=1M small "$0" && echo kept > "$0/keep" && exec "$@"',
          fresh.root('app/disk'),
        ];
        server.offerPackage(makePackage(`${NEW_FILES}; ${change}`));
        await fresh.once();
        expect(server.lastReport).to.include({ status, failure_cause: 'health' });
        expect(server.lastReport.error_message).to.include(says);
        expect((await fresh.read('app/version.txt')).trim()).to.equal('old');
      } finally {
        await fresh.remove();
      }
    }
  });
});
