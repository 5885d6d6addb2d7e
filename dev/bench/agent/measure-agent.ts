/** Measures the agent: size, start time, memory, and processor time when idle. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

import { type Bundle, bundle } from '../../shipping/bundle.ts';
import { buildExecutables } from '../../shipping/executable.ts';
import { ownProcessor } from '../../shipping/node-binary.ts';
import { type Figure, absoluteFigure } from '../figure.ts';
import { median } from '../median.ts';
import { type BenchServer, dropFromCache, startDevice, startServer } from './device.ts';
import { installLargePackage } from './large-package.ts';
import { activityOf, memoryOf } from '../processes.ts';

const STARTS = 5;
/** Until V8's last garbage collection, which it starts when a program has been idle for a while. */
const LAST_COLLECTION_MS = 20_000;
const IDLE_MS = 20_000;

export async function measureAgent(): Promise<Figure[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'ota-bench-agent-'));
  const server = await startServer();
  try {
    const agent = await bundle('ota-agent.cjs', folder);
    const launcher = await bundle('ota-launcher.cjs', folder);
    const [executable = ''] = await buildExecutables([ownProcessor()], folder);
    dropFromCache(executable);
    return [
      ...(await sizes(agent, launcher, executable)),
      absoluteFigure(
        'agent, start of the bundle until its version is printed',
        median(repeat(() => timeOf(process.execPath, [agent.file, '--version']))),
        'ms',
        { below: 500 },
      ),
      absoluteFigure(
        'agent, start of the executable until its version is printed',
        median(repeat(() => timeOf(executable, ['--version']))),
        'ms',
        { below: 500 },
      ),
      ...(await atRest(executable, path.join(folder, 'idle'), server)),
      ...(await installLargePackage(executable, folder, server)),
    ];
  } finally {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function sizes(agent: Bundle, launcher: Bundle, executable: string): Promise<Figure[]> {
  const megabytes = async (file: string): Promise<number> => (await stat(file)).size / 1e6;
  return [
    absoluteFigure('agent, size of the bundle', await megabytes(agent.file), 'MB', { below: 2 }),
    absoluteFigure('launcher, size of the bundle', launcher.bytes / 1e3, 'kB', { below: 50 }),
    absoluteFigure('agent, size of the executable', await megabytes(executable), 'MB', {
      below: 150,
    }),
  ];
}

/** Measures the executable's launcher and agent after a poll without an update. */
async function atRest(executable: string, folder: string, server: BenchServer): Promise<Figure[]> {
  const untilPoll: number[] = [];
  for (let start = 1; start < STARTS; start++) {
    const device = await startDevice(executable, path.join(folder, `${start}`), server);
    untilPoll.push(device.msUntilPoll);
    await device.stop();
  }
  const device = await startDevice(executable, folder, server);
  untilPoll.push(device.msUntilPoll);
  try {
    await sleep(LAST_COLLECTION_MS);
    const pids = [device.launcher, device.agent] as const;
    const [launcherMemory, agentMemory] = [await memoryOf(pids[0]), await memoryOf(pids[1])];
    const before = await activityOf(pids);
    await sleep(IDLE_MS);
    const after = await activityOf(pids);
    const seconds = IDLE_MS / 1000;
    return [
      absoluteFigure('agent, start of the launcher until the first poll', median(untilPoll), 'ms', {
        below: 500,
      }),
      absoluteFigure('agent, memory at rest (resident)', agentMemory.resident, 'MB', {
        below: 60,
      }),
      absoluteFigure(
        'agent, memory at rest (not backed by the executable)',
        agentMemory.anonymous,
        'MB',
        { below: 20 },
      ),
      absoluteFigure('launcher, memory at rest (not shared)', launcherMemory.own, 'MB', {
        below: 20,
      }),
      absoluteFigure(
        'agent and launcher, processor time when idle',
        (after.cpuMs - before.cpuMs) / seconds,
        'ms/s',
        { below: 1 },
      ),
      absoluteFigure(
        'agent and launcher, wake-ups when idle',
        (after.wakeUps - before.wakeUps) / seconds,
        '/s',
        { below: 2 },
      ),
    ];
  } finally {
    await device.stop();
  }
}

function repeat(measure: () => number): number[] {
  return Array.from({ length: STARTS }, measure);
}

function timeOf(file: string, args: string[]): number {
  const begin = performance.now();
  const { status } = spawnSync(file, args, { stdio: 'ignore' });
  if (status !== 0) throw new Error(`${file} ${args.join(' ')} exited with ${status}`);
  return performance.now() - begin;
}
