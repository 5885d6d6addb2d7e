/**
 * A device that reboots: each start has a boot id of its own, and a boot loader on files decides which system
 * runs. The agent sees the boot id in a mount namespace; the reboot command kills it, as a reboot does.
 */
import { execFile } from 'node:child_process';
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

export interface RebootingConfig {
  /** Runs below the boot loader's folder, `$BOOT`, with the agent as its parent. */
  rebootCommand?: string;
  change?: ConfigChange;
  adapter?: 'command' | 'none';
}

export class RebootingDevice {
  private constructor(
    readonly sandbox: Sandbox,
    readonly server: DeviceServer,
  ) {}

  static async create(config: RebootingConfig = {}): Promise<RebootingDevice> {
    const server = await DeviceServer.start();
    const sandbox = await Sandbox.create(server.url);
    const device = new RebootingDevice(sandbox, server);
    await device.configure(config);
    for (const file of ['usual', 'running']) await writeFile(device.boot(file), 'old');
    await writeFile(device.boot('boot-id'), 'first\n');
    await writeFile(device.boot('start.sh'), START);
    sandbox.prefix = [
      ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c'],
      'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"',
      device.boot('boot-id'),
    ];
    return device;
  }

  async configure({
    rebootCommand = 'sh "$BOOT/start.sh" "$BOOT"; kill -9 $PPID',
    change = {},
    adapter = 'command',
  }: RebootingConfig): Promise<void> {
    const folder = this.sandbox.dir;
    await this.sandbox.configure({
      ...change,
      boot: {
        adapter,
        ...(adapter === 'command' && {
          commands: {
            arm: `printf new > ${folder}/once`,
            booted_new: `[ "$(cat ${folder}/running)" = new ]`,
            commit: `printf new > ${folder}/usual`,
            revert: `rm -f ${folder}/once; printf old > ${folder}/usual`,
          },
        }),
      },
      reboot: {
        command: `BOOT=${folder}; ${rebootCommand}`,
        timeout_seconds: 0.2,
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
