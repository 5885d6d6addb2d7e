/** Measures the agent: size, start time, memory, and processor time when idle. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

import { type Bundle, bundle } from '../shipping/bundle.ts';
import { buildExecutables } from '../shipping/executable.ts';
import { ownProcessor } from '../shipping/node-binary.ts';
import { type Figure, absoluteFigure } from './figure.ts';
import { median } from './median.ts';

const STARTS = 5;
/** After the first poll the agent frees memory that it needed to start. */
const SETTLE_MS = 5_000;
const IDLE_MS = 20_000;
/** Unit in which the kernel reports processor time (`getconf CLK_TCK`). */
const TICK_MS = 10;

export async function measureAgent(): Promise<Figure[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'ota-bench-agent-'));
  try {
    const agent = await bundle('ota-agent.cjs', folder);
    const launcher = await bundle('ota-launcher.cjs', folder);
    const [executable = ''] = await buildExecutables([ownProcessor()], folder);
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
      ...(await whenIdle(executable, folder)),
    ];
  } finally {
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
async function whenIdle(executable: string, folder: string): Promise<Figure[]> {
  const server = await startServer();
  const device = await makeDevice(folder, server.url);
  const startedAt = performance.now();
  const launcher = spawn(executable, ['launch', '--state-dir', device.stateDir], {
    stdio: 'ignore',
    env: { PATH: process.env.PATH ?? '', OTA_AGENT_CONFIG: device.config },
  });
  try {
    await once(server.events, 'poll');
    const untilPoll = performance.now() - startedAt;
    await sleep(SETTLE_MS);
    const pids = [pidOf(launcher), await childOf(pidOf(launcher))] as const;
    const [launcherMemory, agentMemory] = [await memoryOf(pids[0]), await memoryOf(pids[1])];
    const before = await activityOf(pids);
    await sleep(IDLE_MS);
    const after = await activityOf(pids);
    const seconds = IDLE_MS / 1000;
    return [
      absoluteFigure('agent, start of the launcher until the first poll', untilPoll, 'ms', {
        below: 1500,
      }),
      absoluteFigure('agent, memory when idle (resident)', agentMemory.resident, 'MB', {
        below: 110,
      }),
      absoluteFigure('launcher, memory when idle (not shared)', launcherMemory.own, 'MB', {
        below: 30,
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
    launcher.kill('SIGTERM');
    await once(launcher, 'exit');
    await server.close();
  }
}

async function makeDevice(
  folder: string,
  serverUrl: string,
): Promise<{ stateDir: string; config: string }> {
  const stateDir = path.join(folder, 'state');
  const config = path.join(folder, 'config.json');
  await mkdir(stateDir, { recursive: true });
  await writeFile(config, JSON.stringify({ state_dir: stateDir, root: folder }));
  await writeFile(
    path.join(stateDir, 'credentials.json'),
    JSON.stringify({
      server_url: serverUrl,
      device_id: 'device-of-the-bench',
      device_name: null,
      organization_id: null,
      auth_token: 'token-of-the-bench',
      heartbeat_interval: 60,
      config_version: null,
      hardware_id: 'bench',
    }),
  );
  return { stateDir, config };
}

/** A server that never offers an update. Emits `poll` for each poll. */
async function startServer(): Promise<{
  url: string;
  events: EventEmitter;
  close: () => Promise<void>;
}> {
  const events = new EventEmitter();
  const server = createServer((request, response) => {
    request.resume();
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ update_available: false, poll_after_seconds: 300 }));
    if (request.url?.includes('check-update')) events.emit('poll');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    events,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
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

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error('the launcher did not start');
  return pid;
}

async function childOf(pid: number): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return Number(children.trim().split(' ')[0]);
}

/** In MB; `own`: memory that is not shared with other processes. */
async function memoryOf(pid: number): Promise<{ resident: number; own: number }> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);
  const own = kilobytes('Private_Clean') + kilobytes('Private_Dirty');
  return { resident: (kilobytes('Rss') * 1024) / 1e6, own: (own * 1024) / 1e6 };
}

/** Processor time and voluntary context switches of all threads since they started. */
async function activityOf(pids: readonly number[]): Promise<{ cpuMs: number; wakeUps: number }> {
  let cpuMs = 0;
  let wakeUps = 0;
  for (const pid of pids) {
    for (const thread of await readdir(`/proc/${pid}/task`)) {
      const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      cpuMs += (Number(fields[11]) + Number(fields[12])) * TICK_MS;
      const status = await readFile(`/proc/${pid}/task/${thread}/status`, 'utf8');
      wakeUps += Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    }
  }
  return { cpuMs, wakeUps };
}
