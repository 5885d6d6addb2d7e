/**
 * A device that reboots: each start has a boot id of its own, and a boot loader on files decides which system
 * runs. The agent sees the boot id in a mount namespace; the reboot command kills it, as a reboot does.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DeviceServer } from './device-server.ts';
import { type AgentExit, type ConfigChange, Sandbox } from './sandbox.ts';

const MAX_STARTS = 12;

/**
 * The boot loader. `once` is started once, `usual` otherwise; a system named in `unbootable` hangs until
 * somebody cuts the power, after which `usual` is started.
 */
const START = `
set -eu
cd "$1"
system=$(cat once 2>/dev/null || cat usual)
rm -f once
if [ "$system" = "$(cat unbootable 2>/dev/null)" ]; then system=$(cat usual); fi
printf %s "$system" > running
cat /proc/sys/kernel/random/uuid > boot-id
echo "$system" >> starts
`;

/** The agent is its parent, and does not outlive the reboot. */
const REBOOT = 'sh "$BOOT/start.sh" "$BOOT"; kill -9 $PPID';
/** How long a device may take to go down, in seconds, and how long one is waited for that never does. */
const GOES_DOWN_WITHIN = 10;
export const STAYS_UP_FOR = 0.5;

export interface RebootingConfig {
  /** Runs with the boot loader's folder in `$BOOT`, in place of a reboot. */
  rebootCommand?: string;
  /** In place of the boot loader's answer; with the agent as its parent. */
  bootedNew?: string;
  change?: ConfigChange;
  adapter?: 'command' | 'none';
}

export class RebootingDevice {
  private constructor(
    readonly sandbox: Sandbox,
    readonly server: DeviceServer,
  ) {
    sandbox.prefix = [
      ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c'],
      'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"',
      this.boot('boot-id'),
    ];
  }

  static async create(config: RebootingConfig = {}, folder?: string): Promise<RebootingDevice> {
    const server = await DeviceServer.start();
    const device = new RebootingDevice(await Sandbox.create(server.url, {}, folder), server);
    await device.configure(config);
    for (const file of ['usual', 'running']) await writeFile(device.boot(file), 'old');
    await writeFile(device.boot('boot-id'), 'first\n');
    await writeFile(device.boot('start.sh'), START);
    return device;
  }

  /** A device that is there already, with its agent at another server now. */
  static async at(folder: string): Promise<RebootingDevice> {
    const server = await DeviceServer.start();
    return new RebootingDevice(await Sandbox.at(folder, server.url), server);
  }

  async configure({
    rebootCommand,
    bootedNew = `[ "$(cat ${this.boot('running')})" = new ]`,
    change = {},
    adapter = 'command',
  }: RebootingConfig): Promise<void> {
    const folder = this.sandbox.dir;
    // A command that is killed half-way leaves the old content, as a boot loader's own tool does.
    const replace = (file: string, content: string): string =>
      `printf ${content} > ${folder}/${file}.part && mv ${folder}/${file}.part ${folder}/${file}`;
    await this.sandbox.configure({
      ...change,
      boot: {
        adapter,
        ...(adapter === 'command' && {
          commands: {
            arm: replace('once', 'new'),
            booted_new: bootedNew,
            commit: replace('usual', 'new'),
            revert: `rm -f ${folder}/once; ${replace('usual', 'old')}`,
          },
        }),
      },
      reboot: {
        command: `BOOT=${folder}; ${rebootCommand ?? REBOOT}`,
        timeout_seconds: rebootCommand === undefined ? GOES_DOWN_WITHIN : STAYS_UP_FOR,
        ...(change['reboot'] as object | undefined),
      },
    });
  }

  /** A file of the boot loader. */
  boot(name: string): string {
    return join(this.sandbox.dir, name);
  }

  /** The system that runs now. */
  running(): Promise<string> {
    return readFile(this.boot('running'), 'utf8');
  }

  /** The system that runs after the next start, if it can be started. */
  async next(): Promise<string> {
    const file = existsSync(this.boot('once')) ? 'once' : 'usual';
    return (await readFile(this.boot(file), 'utf8')).trim();
  }

  /** Systems that were started, one after the other. */
  async starts(): Promise<string[]> {
    const text = await readFile(this.boot('starts'), 'utf8').catch(() => '');
    return text.split('\n').filter(Boolean);
  }

  /** The power is cut and comes back, while no agent runs. */
  async powerCycle(): Promise<void> {
    await promisify(execFile)('sh', [this.boot('start.sh'), this.sandbox.dir]);
  }

  /** `ota-agent once` until nothing is left to do. Resolves with each exit. */
  async settle(faults: Record<string, string> = {}): Promise<AgentExit[]> {
    const exits: AgentExit[] = [];
    const open = (): boolean => this.server.offer !== null || this.server.rollback !== null;
    do {
      if (exits.length === MAX_STARTS) {
        throw new Error(`no end after ${MAX_STARTS} starts:\n${exits.at(-1)?.stderr}`);
      }
      exits.push(await this.sandbox.once(exits.length === 0 ? faults : {}));
    } while (open() || (await this.sandbox.open()).active);
    return exits;
  }

  async remove(): Promise<void> {
    await this.sandbox.remove();
    await this.server.close();
  }
}
