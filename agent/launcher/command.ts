/** Arguments, signals and exit code of the launcher. */
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT } from '../kernel/exit-codes.ts';
import { isJournal, priorityMark } from '../logging/journal-stream.ts';
import { LockHeld } from '../files/lock.ts';
import type { Program } from '../handoff/agent-versions.ts';
import { type AgentEnd, Launcher } from './launcher.ts';

const USAGE = `Usage: ota-launcher [--state-dir DIR] [--trial-seconds N] [--trial-boots N]

Starts the agent, and goes back to the one before when a new one does not work.

  --state-dir DIR     state_dir of the agent's configuration (default /var/lib/ota-agent)
  --trial-seconds N   time a new agent has to reach the server (default 900)
  --trial-boots N     starts a new agent has (default 3)

The agent finds its configuration by OTA_AGENT_CONFIG.`;

interface Arguments {
  stateDir: string;
  trialSeconds: number;
  trialBoots: number;
}

/**
 * Sets the exit code of this process; never rejects.
 * @param factory the agent that came with the launcher
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
    home: join(settings.stateDir, 'agent'),
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
    log(held ? `another launcher (process ${error.pid}) works with this folder` : String(error));
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

/** As shells do: an agent that a signal ended gives 128 and the signal's number. */
function exitCodeOf({ code, signal }: AgentEnd): number {
  if (signal !== null) return 128 + constants.signals[signal];
  return code ?? EXIT.unexpected;
}

/** A line as the agent's own, so that both can be read together. */
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
