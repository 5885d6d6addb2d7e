/**
 * Boot loaders as the adapters' contract sees them: each sets up a device on files, does what `install.sh`
 * has to do on it, and starts it as the real boot loader would, from whatever the adapter wrote with the
 * boot loader's own tools.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import type { BootAdapter, BootAdapterName } from '../../../agent/device/boot/boot-adapter.ts';
import { CommandAdapter } from '../../../agent/device/boot/command-adapter.ts';
import { GrubAdapter } from '../../../agent/device/boot/grub.ts';
import { RaspberryPiAdapter } from '../../../agent/device/boot/raspberry-pi.ts';
import { RaucAdapter } from '../../../agent/device/boot/rauc.ts';
import { SystemdBootAdapter } from '../../../agent/device/boot/systemd-boot.ts';
import { UBootAdapter } from '../../../agent/device/boot/u-boot.ts';
import {
  BOOTCTL,
  DBUS_DAEMON,
  FW_SETENV,
  GRUB_EDITENV,
  type Program,
  RAUC,
  findProgram,
} from '../../../dev/programs.ts';
import { waitFor } from '../../../dev/wait-for.ts';

const run = promisify(execFile);

/** Starts that a new system gets before the boot loader returns to the old one. */
export const MAX_BOOTS = 3;

export type System = 'old' | 'new';

export interface SimulatedDevice {
  adapter: BootAdapter;
  /** An update waits for its commit: services that confirm every start hold back (docs/boot-adapters.md). */
  onTrial?: boolean;
  /** What `install.sh` does to bring a new system. Resolves with what it writes into `OTA_REBOOT_REQUIRED`. */
  install(): Promise<string>;
  /**
   * Starts the device once.
   * @param armed whether the reboot was the one that the agent asked for with `rebootCommand`
   * @returns the system that runs now
   */
  start(armed?: boolean): Promise<System>;
  /** Makes the environment impossible to write, where check() can find that out. */
  makeUnwritable?(): Promise<void>;
  /** The boot partition of systemd-boot. */
  boot?: string;
  close(): Promise<void>;
}

export interface BootLoader {
  name: Exclude<BootAdapterName, 'none'>;
  /** Tells two of the same name apart. */
  variant?: string;
  /** What has to be installed to try it. */
  programs: readonly Program[];
  /** The tool whose absence `check` has to report. */
  tool?: string;
  /** Whether its environment is files that `check` can look at. */
  hasFiles: boolean;
  /** An adapter for a device that has nothing of it. */
  absent(folder: string): BootAdapter;
  setUp(): Promise<SimulatedDevice>;
}

/** The tests are skipped where it is not installed. */
function pathOf(program: Program): string {
  return findProgram(program) ?? '';
}

async function deviceFolder(): Promise<{ folder: string; close: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'ota-boot-'));
  return { folder, close: () => rm(folder, { recursive: true, force: true }) };
}

const uBoot: BootLoader = {
  name: 'u-boot',
  programs: [FW_SETENV],
  hasFiles: true,
  tool: 'fw_printenv',
  absent: (folder) => new UBootAdapter(join(folder, 'fw_env.config')),
  async setUp() {
    const { folder, close } = await deviceFolder();
    const config = join(folder, 'fw_env.config');
    const environment = join(folder, 'environment');
    await writeFile(environment, Buffer.alloc(0x4000, 0xff));
    await writeFile(config, `# device offset size\n${environment} 0x0 0x4000\n`);
    const set = (name: string, value: string) => run('fw_setenv', ['-c', config, name, value]);
    const get = async (name: string) => {
      const { stdout } = await run('fw_printenv', ['-c', config]);
      return stdout.match(new RegExp(`^${name}=(.*)$`, 'm'))?.[1] ?? '';
    };
    await writeFile(join(folder, 'defaults'), 'bootlimit=3\nbootcount=0\nupgrade_available=0\n');
    await run('fw_setenv', ['-c', config, '-f', join(folder, 'defaults'), 'part', 'old']);
    for (const [name, value] of [
      ['bootlimit', String(MAX_BOOTS)],
      ['bootcount', '0'],
      ['upgrade_available', '0'],
    ] as const) {
      await set(name, value);
    }
    return {
      adapter: new UBootAdapter(config),
      install: () => Promise.resolve('part=new'),
      async start() {
        if ((await get('upgrade_available')) === '1') {
          const count = Number(await get('bootcount')) + 1;
          await set('bootcount', String(count));
          if (count > Number(await get('bootlimit'))) {
            // altbootcmd
            await set('part', 'old');
            await set('upgrade_available', '0');
          }
        }
        return (await get('part')) as System;
      },
      makeUnwritable: () => remove(environment),
      close,
    };
  },
};

const grub: BootLoader = {
  name: 'grub',
  programs: [GRUB_EDITENV],
  hasFiles: true,
  tool: 'grub-editenv',
  absent: (folder) => new GrubAdapter(join(folder, 'grubenv')),
  async setUp() {
    const { folder, close } = await deviceFolder();
    const file = join(folder, 'grubenv');
    const commandLine = join(folder, 'cmdline');
    const starts = (entry: string) =>
      writeFile(commandLine, `BOOT_IMAGE=/vmlinuz root=/dev/vda2 ota.entry=${entry} ro quiet\n`);
    const environment = async () => {
      const { stdout } = await run('grub-editenv', [file, 'list']);
      return new Map(stdout.split('\n').map((line) => line.split('=') as [string, string]));
    };
    await run('grub-editenv', [file, 'create']);
    await run('grub-editenv', [file, 'set', 'saved_entry=old']);
    await starts('old');
    return {
      adapter: new GrubAdapter(file, commandLine),
      install: () => Promise.resolve('new'),
      async start() {
        const { next, saved } = await environment().then((all) => ({
          next: all.get('next_entry'),
          saved: all.get('saved_entry'),
        }));
        if (next) await run('grub-editenv', [file, 'unset', 'next_entry']);
        const entry = (next || saved) as System;
        await starts(entry);
        return entry;
      },
      makeUnwritable: () => remove(file),
      close,
    };
  },
};

/** File names of the entries below the boot partition, the one that starts next first. */
type ListEntries = (boot: string) => Promise<string[]>;

/** As the Boot Loader Specification sorts them: those without starts left last. */
const sortedByName: ListEntries = async (boot) => {
  const files = (await readdir(join(boot, 'loader', 'entries'))).sort().reverse();
  const isSpent = (file: string) => /\+0(-\d+)?\.conf$/.test(file);
  return [...files.filter((one) => !isSpent(one)), ...files.filter(isSpent)];
};

/** An entry as `bootctl` understands it. */
export interface ListedEntry {
  id: string;
  path: string;
  triesLeft?: number;
  triesDone?: number;
}

/** The real boot loader's own tool, in its order. */
export async function listByBootctl(boot: string): Promise<ListedEntry[]> {
  // In place of --esp-path, which has to be a file system of its own.
  const env = { ...process.env, SYSTEMD_ESP_PATH: boot };
  const { stdout } = await run(pathOf(BOOTCTL), ['list', '--json=short', '--no-pager'], { env });
  // One object on each line, or since systemd 253 one array.
  const entries = stdout.split('\n').filter(Boolean);
  return entries.flatMap((line) => JSON.parse(line) as ListedEntry | ListedEntry[]);
}

const sortedByBootctl: ListEntries = async (boot) =>
  (await listByBootctl(boot)).map(({ path }) => basename(path));

const systemdBoot = (list: ListEntries): Omit<BootLoader, 'programs'> => ({
  name: 'systemd-boot',
  hasFiles: true,
  absent: (folder) => new SystemdBootAdapter(folder, MAX_BOOTS, folder),
  async setUp() {
    const { folder, close } = await deviceFolder();
    const boot = join(folder, 'boot');
    const entries = join(boot, 'loader', 'entries');
    const variables = join(folder, 'efivars');
    await mkdir(entries, { recursive: true });
    await mkdir(variables);
    await mkdir(join(boot, 'EFI'));
    const write = (name: string, version: string) =>
      writeFile(
        join(entries, `${name}.conf`),
        `title Pump\nsort-key pump\nversion ${version}\nlinux /vmlinuz-${version}\n`,
      );
    /** The file name in UTF-16, behind four bytes of attributes. */
    const starts = (file: string) =>
      writeFile(
        join(variables, 'LoaderEntrySelected-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f'),
        Buffer.concat([Buffer.from([6, 0, 0, 0]), Buffer.from(`${file}\0`, 'utf16le')]),
      );
    await write('pump-1', '1');
    await starts('pump-1.conf');
    return {
      adapter: new SystemdBootAdapter(boot, MAX_BOOTS, variables),
      async install() {
        await write('pump-2+0', '2');
        return 'pump-2';
      },
      async start() {
        const [file = ''] = await list(boot);
        const counters = file.match(/^(.*)\+(\d+)(?:-(\d+))?\.conf$/);
        let started = file;
        if (counters) {
          const [, id, left, done] = counters;
          started = `${id}+${Number(left) - 1}-${Number(done ?? 0) + 1}.conf`;
          await rename(join(entries, file), join(entries, started));
        }
        await starts(started);
        return started.startsWith('pump-2') ? 'new' : 'old';
      },
      makeUnwritable: () => remove(boot),
      boot,
      close,
    };
  },
});

const raspberryPi: BootLoader = {
  name: 'raspberry-pi',
  programs: [],
  hasFiles: true,
  absent: (folder) => new RaspberryPiAdapter(folder, folder),
  async setUp() {
    const { folder, close } = await deviceFolder();
    const firmware = join(folder, 'firmware');
    const tree = join(folder, 'device-tree');
    await mkdir(firmware);
    await mkdir(join(tree, 'chosen', 'bootloader'), { recursive: true });
    const config = join(firmware, 'config.txt');
    const tryConfig = join(firmware, 'tryboot.txt');
    const tried = (yes: boolean) =>
      writeFile(join(tree, 'chosen', 'bootloader', 'tryboot'), Buffer.from([0, 0, 0, yes ? 1 : 0]));
    await writeFile(config, 'kernel=old\n');
    await tried(false);
    return {
      adapter: new RaspberryPiAdapter(firmware, tree),
      async install() {
        await writeFile(tryConfig, 'kernel=new\n');
        return '';
      },
      async start(armed = false) {
        const text = armed ? await readFile(tryConfig, 'utf8').catch(() => null) : null;
        await tried(text !== null);
        return (text ?? (await readFile(config, 'utf8'))).includes('new') ? 'new' : 'old';
      },
      makeUnwritable: () => remove(config),
      close,
    };
  },
};

const command: BootLoader = {
  name: 'command',
  programs: [],
  hasFiles: false,
  absent: () =>
    new CommandAdapter({ arm: 'false', commit: 'false', revert: 'false', timeout_seconds: 10 }),
  async setUp() {
    const { folder, close } = await deviceFolder();
    const file = (name: string) => join(folder, name);
    await writeFile(file('usual'), 'old');
    await writeFile(file('running'), 'old');
    return {
      adapter: new CommandAdapter({
        arm: `echo -n "$OTA_BOOT_NEW" > ${file('once')}`,
        booted_new: `[ "$(cat ${file('running')})" = new ]`,
        commit: `echo -n new > ${file('usual')}`,
        revert: `rm -f ${file('once')}; echo -n old > ${file('usual')}`,
        timeout_seconds: 10,
      }),
      install: () => Promise.resolve('new'),
      async start() {
        const once = await readFile(file('once'), 'utf8').catch(() => null);
        await rm(file('once'), { force: true });
        const system = (once ?? (await readFile(file('usual'), 'utf8'))) as System;
        await writeFile(file('running'), system);
        return system;
      },
      close,
    };
  },
};

/** A D-Bus of its own, and RAUC's service on it, with GRUB's environment as what RAUC writes to. */
const rauc: BootLoader = {
  name: 'rauc',
  programs: [RAUC, DBUS_DAEMON, GRUB_EDITENV],
  hasFiles: false,
  tool: 'rauc',
  absent: () => new RaucAdapter(),
  async setUp() {
    const { folder, close } = await deviceFolder();
    const bus = join(folder, 'bus');
    await writeFile(
      join(folder, 'bus.conf'),
      `<busconfig><type>system</type><listen>unix:path=${bus}</listen><auth>EXTERNAL</auth>
       <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
       </busconfig>`,
    );
    for (const slot of [0, 1]) await writeFile(join(folder, `slot${slot}`), Buffer.alloc(4096));
    const environment = join(folder, 'grubenv');
    await run('grub-editenv', [environment, 'create']);
    await run('grub-editenv', [
      ...[environment, 'set', 'ORDER=A B'],
      ...['A_OK=1', 'A_TRY=0', 'B_OK=1', 'B_TRY=0'],
    ]);
    const slots = ['A', 'B'].map(
      (name, index) =>
        `[slot.rootfs.${index}]\ndevice=${join(folder, `slot${index}`)}\ntype=raw\nbootname=${name}\n`,
    );
    await writeFile(
      join(folder, 'system.conf'),
      `[system]\ncompatible=pump\nbootloader=grub\ngrubenv=${environment}\nstatusfile=${join(folder, 'status')}\n` +
        `mountprefix=${join(folder, 'mnt')}\n${slots.join('')}`,
    );
    const daemon = spawn(
      pathOf(DBUS_DAEMON),
      [`--config-file=${join(folder, 'bus.conf')}`, '--nofork'],
      {
        stdio: 'ignore',
      },
    );
    const address = `unix:path=${bus}`;
    const env = { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: address };
    const tool = (...args: string[]) => run('rauc', args, { env });
    let service = startService('A');
    await serviceIsUp();

    function startService(slot: string) {
      return spawn(
        pathOf(RAUC),
        [`--conf=${join(folder, 'system.conf')}`, ...[`--override-boot-slot=${slot}`, 'service']],
        { stdio: 'ignore', env },
      );
    }

    async function serviceIsUp(): Promise<void> {
      await waitFor(
        () =>
          tool('status')
            .then(() => true)
            .catch(() => false),
        {
          describe: 'the RAUC service answers',
        },
      );
    }

    async function stop(process: typeof service): Promise<void> {
      if (process.exitCode !== null || process.signalCode !== null) return;
      process.kill();
      await once(process, 'exit');
    }

    const device: SimulatedDevice = {
      adapter: new RaucAdapter(address),
      async install() {
        // What `rauc install` does last, after it has written the bundle.
        await tool('status', 'mark-active', 'other');
        return '';
      },
      async start() {
        const { stdout } = await run('grub-editenv', [environment, 'list']);
        const values = new Map(
          stdout.split('\n').map((line) => line.split('=') as [string, string]),
        );
        const order = (values.get('ORDER') ?? '').split(' ');
        const slot = order.find(
          (name) => values.get(`${name}_OK`) === '1' && values.get(`${name}_TRY`) === '0',
        );
        if (slot === undefined) throw new Error(`no slot can be started: ${stdout}`);
        await run('grub-editenv', [environment, 'set', `${slot}_TRY=1`]);
        await stop(service);
        service = startService(slot);
        await serviceIsUp();
        // rauc-mark-good.service, which runs at every start of a system that comes up.
        if (slot === 'A' || !device.onTrial) await tool('status', 'mark-good', 'booted');
        return slot === 'A' ? 'old' : 'new';
      },
      async close() {
        await stop(service);
        await stop(daemon);
        await close();
      },
    };
    return device;
  },
};

/** Root may write any file; one that is not there stops it, too. */
async function remove(file: string): Promise<void> {
  await rm(file, { recursive: true });
}

export const BY_BOOTCTL: BootLoader = {
  ...systemdBoot(sortedByBootctl),
  variant: 'as bootctl reads it',
  programs: [BOOTCTL],
};

export const BOOT_LOADERS: BootLoader[] = [
  rauc,
  uBoot,
  { ...systemdBoot(sortedByName), programs: [] },
  BY_BOOTCTL,
  grub,
  raspberryPi,
  command,
];
