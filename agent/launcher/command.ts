/** Command line of the launcher: arguments, signals, exit code. */
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT } from '../kernel/exit-codes.ts';
import { isJournal, priorityMark } from '../logging/journal-stream.ts';
import { LockHeld } from '../files/lock.ts';
import type { Program } from '../handoff/agent-versions.ts';
import { launcherHome } from '../handoff/launched-as.ts';
import { type AgentEnd, Launcher } from './launcher.ts';

const USAGE = `Usage: ota-launcher [--state-dir DIR] [--trial-seconds N] [--trial-boots N]

Starts the agent, and rolls back to the previous one when a new one does not work.

  --state-dir DIR     state_dir of the agent's configuration (default /var/lib/ota-agent)
  --trial-seconds N   time for a new agent to reach the server (default 900)
  --trial-boots N     how often a new agent is started (default 3)

The agent reads the configuration named by OTA_AGENT_CONFIG.`;

interface Arguments {
  stateDir: string;
  trialSeconds: number;
  trialBoots: number;
}

/**
 * Sets the exit code of this process; never rejects.
 * @param factory the agent shipped with the launcher
 */
export async function runLauncher(args: string[], factory: Program): Promise<void> {
  const settings = read(args);
  if (typeof settings === 'string') {
    console.error(settings);
    process.exitCode = EXIT.usage;
    return;
  }
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stop.abort());
  const launcher = new Launcher({
    home: launcherHome(settings.stateDir),
    factory,
    trialMs: settings.trialSeconds * 1000,
    trialBoots: settings.trialBoots,
    log,
    stopping: stop.signal,
  });
  try {
    process.exitCode = exitCodeOf(await launcher.run());
  } catch (error) {
    const held = error instanceof LockHeld;
    log(held ? `another launcher (process ${error.pid}) uses this folder` : String(error));
    process.exitCode = held ? EXIT.locked : EXIT.unexpected;
  }
}

function read(args: string[]): Arguments | string {
  try {
    const { values } = parseArgs({
      args,
      options: {
        'state-dir': { type: 'string', default: '/var/lib/ota-agent' },
        'trial-seconds': { type: 'string', default: '900' },
        'trial-boots': { type: 'string', default: '3' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    const stateDir = resolve(values['state-dir']);
    const trialSeconds = Number(values['trial-seconds']);
    const trialBoots = Number(values['trial-boots']);
    const fine = trialSeconds > 0 && trialSeconds <= 86_400 && Number.isInteger(trialBoots);
    if (values.help || !fine || trialBoots < 1) return USAGE;
    return { stateDir, trialSeconds, trialBoots };
  } catch (error) {
    return `${(error as Error).message}\n\n${USAGE}`;
  }
}

/** As shells do: 128 plus the number of the signal that killed the agent. */
function exitCodeOf({ code, signal }: AgentEnd): number {
  if (signal !== null) return 128 + constants.signals[signal];
  return code ?? EXIT.unexpected;
}

/** A line in the format of the agent's log, so that both can be read together. */
function log(message: string): void {
  const line = {
    level: 30,
    time: Date.now(),
    pid: process.pid,
    name: 'ota-launcher',
    msg: message,
  };
  const mark = isJournal() ? priorityMark(line.level) : '';
  process.stderr.write(`${mark}${JSON.stringify(line)}\n`);
}
