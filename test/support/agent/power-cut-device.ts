/**
 * A device that is taken through one update after the other while its agent is killed, and what must
 * hold of it afterwards: exactly the old or the new version, and a server that was told the truth.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeviceServer } from './device-server.ts';
import { type Package, makePackage } from './package-builder.ts';
import { type AgentExit, Sandbox } from './sandbox.ts';

/** Ends with fixed times, so that the new state is the same each time. */
const CHANGE = `set -e
cp version.txt "$OTA_ROOT/app/version.txt"
rm -f "$OTA_ROOT/app/bin/tool"
mkdir -p "$OTA_ROOT/app/new"
echo fresh > "$OTA_ROOT/app/new/file"
sleep 0.1
chmod 700 "$OTA_ROOT/app/data"
`;
const SETTLE = 'find "$OTA_ROOT/app" -exec touch -h -d @1650000000 {} +\n';
const packageWith = (more: string): Package =>
  makePackage(`${CHANGE}${SETTLE}${more}`, { 'version.txt': 'new\n' });

export const GOOD = packageWith('');
export const BAD = packageWith('exit 1');

/** The ways an update can go; `ordered` is a rollback the server asks for after a good update. */
export const SCENARIOS = {
  good: GOOD,
  'script fails': BAD,
  unhealthy: packageWith('touch "$OTA_ROOT/app/sick"'),
  'server not reached': packageWith('touch "$OTA_ROOT/app/mute"'),
  'rollback asked for': null,
} as const;
export type Scenario = keyof typeof SCENARIOS;

const CONFIG = {
  health: {
    checks: [{ type: 'command', command: '! test -e app/sick', retries: 0 }],
  },
  commit: { deadline_seconds: 0.2 },
};
const MAX_RESTARTS = 8;
const ENDS = ['completed', 'failed', 'rolled_back', 'skipped'];
const ORDER = ['downloading', 'installing', 'verifying'];

export interface Verdict {
  state: 'old' | 'new' | 'between';
  /** The end the server was told last about the attempt. */
  told: string | undefined;
  /** Everything that is not as it must be. */
  faults: string[];
}

export class PowerCutDevice {
  #device!: Sandbox;
  #server!: DeviceServer;
  readonly #dir: string;
  readonly #oldPicture: string;
  readonly #newPicture: string;

  private constructor(dir: string, oldPicture: string, newPicture: string) {
    this.#dir = dir;
    this.#oldPicture = oldPicture;
    this.#newPicture = newPicture;
  }

  static async create(): Promise<PowerCutDevice> {
    const dir = await mkdtemp(join(tmpdir(), 'ota-power-cut-'));
    const server = await DeviceServer.start();
    const device = await Sandbox.create(server.url, CONFIG, join(dir, 'device'));
    const oldPicture = await device.picture();
    server.offerPackage(GOOD);
    const exit = await device.once();
    if (exit.code !== 0) throw new Error(`the update without faults failed:\n${exit.stderr}`);
    const newPicture = await device.picture();
    copy(join(dir, 'device'), join(dir, 'updated'));
    await server.close();
    return new PowerCutDevice(dir, oldPicture, newPicture);
  }

  get sandbox(): Sandbox {
    return this.#device;
  }

  get server(): DeviceServer {
    return this.#server;
  }

  /** A device that has lived through nothing yet, and a server that wants something of it. */
  async begin(scenario: Scenario): Promise<void> {
    await this.#end();
    const folder = join(this.#dir, 'device');
    await rm(folder, { recursive: true, force: true });
    this.#server = await DeviceServer.start();
    const made = SCENARIOS[scenario];
    if (made === null) {
      copy(join(this.#dir, 'updated'), folder);
      this.#device = await Sandbox.at(folder, this.#server.url);
      this.#server.rollback = { deployment_id: 'deployment-1', version: '1.0.0', attempt: 1 };
    } else {
      this.#device = await Sandbox.create(this.#server.url, CONFIG, folder);
      this.#server.offerPackage(made);
    }
    const mute = this.#device.root('app/mute');
    this.#server.intercept = (request) => existsSync(mute) && !!request.socket.destroy();
  }

  /** `ota-agent once`, with what shall go wrong. */
  once(faults: Record<string, string> = {}): Promise<AgentExit> {
    return this.#device.once(faults);
  }

  /** Lets the agent run until it has nothing left to do, and judges. */
  async recover(): Promise<Verdict> {
    const faults: string[] = [];
    const open = (): boolean => this.#server.offer !== null || this.#server.rollback !== null;
    let restarts = 0;
    do {
      if (++restarts > MAX_RESTARTS) {
        faults.push('the agent does not come to an end');
        break;
      }
      await this.#device.once();
    } while (open() || (await this.#device.open()).active);
    return this.#judge(faults);
  }

  async remove(): Promise<void> {
    await this.#end();
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #end(): Promise<void> {
    await this.#device?.remove();
    await this.#server?.close();
  }

  async #judge(faults: string[]): Promise<Verdict> {
    const device = this.#device;
    const picture = await device.picture();
    const state =
      picture === this.#oldPicture ? 'old' : picture === this.#newPicture ? 'new' : 'between';
    if (state === 'between') faults.push(`files of neither version:\n${picture}`);
    const version = await device.currentVersion();
    if (version !== (state === 'new' ? '2.0.0' : '1.0.0')) {
      faults.push(`calls itself ${version}, files are ${state}`);
    }
    if ((await device.open()).reportsWaiting > 0) faults.push('reports are stuck');
    const left = await readdir(device.state('work'));
    if (left.length > 0) faults.push(`left behind: ${left.join(', ')}`);
    const { statuses } = this.#server;
    const told = statuses.filter((status) => ENDS.includes(status)).at(-1);
    const truth = state === 'new' ? 'completed' : 'rolled_back';
    if (told !== truth) faults.push(`${state}, but the server was told ${told ?? 'nothing'}`);
    const wrong = wrongSequence(statuses);
    if (wrong) faults.push(`${wrong}: ${statuses.join(', ')}`);
    return { state, told, faults };
  }
}

/**
 * Reports arrive at least once and in order. An attempt begins again only before its script ran, and
 * nothing follows an end. A rollback that was asked for has an end only.
 * @param statuses repeated ones once
 */
export function wrongSequence(statuses: string[]): string | null {
  const end = statuses.findIndex((status) => ENDS.includes(status));
  if (end !== statuses.length - 1) return 'a report behind the end, or none';
  if (statuses.length === 1) return statuses[0] === 'rolled_back' ? null : 'reports lost';
  for (const [index, status] of statuses.slice(0, end).entries()) {
    const before = statuses[index - 1];
    const step = ORDER.indexOf(status) - (before === undefined ? -1 : ORDER.indexOf(before));
    const again = status === 'downloading' && before === 'installing';
    if (step !== 1 && !again) return 'reports lost or out of order';
  }
  const last = statuses[end - 1];
  const enough = statuses[end] === 'completed' ? last === 'verifying' : last !== 'downloading';
  return enough ? null : 'reports lost';
}

/** With owners, modes and times; both folders are the test's own. */
function copy(from: string, to: string): void {
  execFileSync('cp', ['-a', from, to]);
}
