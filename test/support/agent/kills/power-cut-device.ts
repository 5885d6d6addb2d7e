/** A device that is taken through one update after the other while its agent is killed. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeviceServer } from '../device-server.ts';
import { type Package, makePackage } from '../package-builder.ts';
import { type AgentExit, type RunningAgent, Sandbox } from '../sandbox.ts';
import type { TrialDevice } from './kill-driver.ts';
import { type Pictures, type Verdict, isAtRest, judge } from './verdict.ts';

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

/** Changes files of every kind, and then does more. */
export const packageWith = (more: string, files: Record<string, string> = {}): Package =>
  makePackage(`${CHANGE}${SETTLE}${more}`, { 'version.txt': 'new\n', ...files });

export const GOOD = packageWith('');
export const BAD = packageWith('exit 1');

/** The ways an update can go; the last one is a rollback the server asks for after a good update. */
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

export class PowerCutDevice implements TrialDevice<Scenario> {
  #device!: Sandbox;
  #server!: DeviceServer;

  private constructor(
    private readonly dir: string,
    private readonly pictures: Pictures,
  ) {}

  static async create(): Promise<PowerCutDevice> {
    const dir = await mkdtemp(join(tmpdir(), 'ota-power-cut-'));
    const server = await DeviceServer.start();
    const device = await Sandbox.create(server.url, CONFIG, join(dir, 'device'));
    const old = await device.picture();
    server.offerPackage(GOOD);
    const exit = await device.once();
    if (exit.code !== 0) throw new Error(`the update without faults failed:\n${exit.stderr}`);
    const pictures = { old, new: await device.picture() };
    copyFolder(join(dir, 'device'), join(dir, 'updated'));
    await server.close();
    return new PowerCutDevice(dir, pictures);
  }

  get sandbox(): Sandbox {
    return this.#device;
  }

  get server(): DeviceServer {
    return this.#server;
  }

  async begin(scenario: Scenario): Promise<void> {
    await this.#end();
    const folder = join(this.dir, 'device');
    await rm(folder, { recursive: true, force: true });
    this.#server = await DeviceServer.start();
    const made = SCENARIOS[scenario];
    if (made === null) {
      copyFolder(join(this.dir, 'updated'), folder);
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

  start(faults: Record<string, string> = {}): Promise<RunningAgent> {
    return this.#device.start(['once'], faults);
  }

  isAtRest(): Promise<boolean> {
    return isAtRest(this.#device, this.#server);
  }

  async recover(): Promise<Verdict> {
    let restarts = 0;
    do {
      await this.once();
    } while (!(await this.isAtRest()) && ++restarts < MAX_RESTARTS);
    const verdict = await judge(this.#device, this.#server, this.pictures);
    if (restarts === MAX_RESTARTS) verdict.faults.push('the agent does not come to an end');
    return verdict;
  }

  async remove(): Promise<void> {
    await this.#end();
    await rm(this.dir, { recursive: true, force: true });
  }

  async #end(): Promise<void> {
    await this.#device?.remove();
    await this.#server?.close();
  }
}

/** With owners, modes and times; both folders are the test's own. */
export function copyFolder(from: string, to: string): void {
  execFileSync('cp', ['-a', from, to]);
}
