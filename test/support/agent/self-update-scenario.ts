/** A device under the launcher, a server for it, and packages that bring new agents. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { waitFor } from '../../../dev/wait-for.ts';
import { DeviceServer, type ReceivedReport } from './device-server.ts';
import {
  LaunchedDevice,
  type LaunchSettings,
  type RunningLauncher,
  shippedPrograms,
} from './launched-device.ts';
import { type Package, makePackage } from './package-builder.ts';

const INSTALL = `set -e
cp version.txt "$OTA_ROOT/app/version.txt"
cp ota-agent* "$OTA_AGENT_FOLDER/"
`;
const ENDS = ['completed', 'failed', 'rolled_back'];
/** What a service manager waits before it starts the launcher again. */
const RESTART_MS = 200;
const POLL = '/api/v1/ota/check-update';

/** Where a device stands in the end; there is nothing between. */
export const STANDS = {
  completed: 'completed, new files, new agent',
  rolled_back: 'rolled_back, old files, old agent',
};

/** Sources of new agents, made from the one that is shipped. */
export interface AgentSources {
  shipped: string;
  /** Works, and differs from the one running. */
  good: string;
  /** Works, but for the server's answers. */
  deaf: string;
}

export async function agentSources(): Promise<AgentSources> {
  const text = await readFile((await shippedPrograms()).agent, 'utf8');
  // Without its first line, so that something can stand before it.
  const shipped = text.replace(/^#!.*\n/, '');
  if (shipped.split(POLL).length !== 2) throw new Error(`${POLL} does not stand there once`);
  return {
    shipped,
    good: `${shipped}\n// the next one`,
    deaf: shipped.replace(POLL, '/api/v9/ota/check-update'),
  };
}

export class SelfUpdateScenario {
  #offers = 0;

  private constructor(
    readonly server: DeviceServer,
    readonly device: LaunchedDevice,
  ) {}

  static async create(): Promise<SelfUpdateScenario> {
    const server = await DeviceServer.start();
    return new SelfUpdateScenario(server, await LaunchedDevice.create(server.url));
  }

  async remove(): Promise<void> {
    await this.device.remove();
    await this.server.close();
  }

  /** A package that changes a file and brings this agent. */
  offer(source: string, name = 'ota-agent.cjs', script = INSTALL): void {
    this.offerPackage(makePackage(script, { 'version.txt': 'new\n', [name]: source }));
  }

  offerPackage(made: Package): void {
    this.server.offerPackage(made, { deployment_id: this.deployment(++this.#offers) });
  }

  /** Of this run alone: an agent that rolls back ends every process with the id of its update. */
  deployment(number: number): string {
    return `deployment-${process.pid}-${number}`;
  }

  /** The last report that ends an attempt. */
  get ended(): ReceivedReport | undefined {
    return this.server.reports.filter((report) => ENDS.includes(report.status)).at(-1);
  }

  async untilEnded(): Promise<ReceivedReport> {
    await this.server.until(() => this.ended !== undefined);
    return this.ended as ReceivedReport;
  }

  /** Starts the launcher whenever it ends, as a service manager does, until the update has ended. */
  async keepLaunchingUntilEnded(settings: LaunchSettings = {}): Promise<void> {
    const done = this.untilEnded().then(() => true);
    for (;;) {
      const launcher = await this.device.launch(settings);
      const over = await Promise.race([launcher.exit.then(() => false), done]);
      if (over) return this.agentStarts(launcher);
      await pause(RESTART_MS);
    }
  }

  async agentStarts(launcher: RunningLauncher): Promise<void> {
    await waitFor(() => this.device.agentProcess(), {
      describe: () => `an agent is running:\n${launcher.stderr()}`,
    });
  }

  async says(launcher: RunningLauncher, text: string): Promise<void> {
    await waitFor(() => launcher.stderr().includes(text), {
      describe: () => `launcher or agent says "${text}":\n${launcher.stderr()}`,
    });
  }

  /** One of {@link STANDS}, or something that should not be. */
  async whereItStands(): Promise<string> {
    const files = (await this.device.sandbox.read('app/version.txt')).trim();
    const agent = (await this.device.agentAtWork()) === null ? 'old' : 'new';
    return `${this.ended?.status}, ${files} files, ${agent} agent`;
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
