/** A device for the benchmark: the executable's launcher and agent, and the server that they poll. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

import { childOf } from '../processes.ts';

/** After the first poll the agent frees memory that it needed to start. */
const SETTLE_MS = 8_000;

export interface Package {
  file: string;
  sha256: string;
}

export interface BenchServer {
  url: string;
  /** Emits `poll` for each poll, and `report` with the status of each report. */
  events: EventEmitter;
  /** Offered at each poll until it is installed. */
  offered: Package | null;
  pollAfterSeconds: number;
  close: () => Promise<void>;
}

export async function startServer(): Promise<BenchServer> {
  const http = createServer((request, response) => void answer(bench, request, response));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const bench: BenchServer = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    events: new EventEmitter(),
    offered: null,
    pollAfterSeconds: 300,
    close: async () => {
      http.closeAllConnections();
      http.close();
      await once(http, 'close');
    },
  };
  return bench;
}

async function answer(
  bench: BenchServer,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { offered } = bench;
  const { url = '' } = request;
  if (url === '/package.tar.gz' && offered) {
    await sendPackage(offered, request, response);
    return;
  }
  const body = await text(request);
  response.setHeader('content-type', 'application/json');
  if (url.includes('/check-update')) {
    response.end(JSON.stringify(offered ? offer(bench, offered) : nothing(bench)));
    bench.events.emit('poll');
  } else {
    response.end(JSON.stringify(ACKNOWLEDGED));
    if (url.includes('/status')) bench.events.emit('report', JSON.parse(body));
  }
}

const ACKNOWLEDGED = { status: 'success', message: 'recorded', directive: 'continue' };

function nothing({ pollAfterSeconds }: BenchServer): object {
  return { update_available: false, poll_after_seconds: pollAfterSeconds };
}

function offer(bench: BenchServer, { sha256 }: Package): object {
  return {
    update_available: true,
    deployment_id: 'deployment-of-the-bench',
    target_version: '2.0.0',
    attempt: 1,
    update_package_url: `${bench.url}/package.tar.gz`,
    checksum: `sha256:${sha256}`,
  };
}

async function sendPackage(
  { file, sha256 }: Package,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { size } = await stat(file);
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  response.writeHead(start > 0 ? 206 : 200, {
    'content-length': size - start,
    etag: `"${sha256}"`,
    ...(start > 0 && { 'content-range': `bytes ${start}-${size - 1}/${size}` }),
  });
  createReadStream(file, { start }).pipe(response);
}

export interface BenchDevice {
  launcher: number;
  agent: number;
  /** From the start of the launcher. */
  msUntilPoll: number;
  stop: () => Promise<void>;
}

/** Starts the executable as a registered device, and waits until it is at rest. */
export async function startDevice(
  executable: string,
  folder: string,
  server: BenchServer,
  config: object = {},
): Promise<BenchDevice> {
  const stateDir = path.join(folder, 'state');
  const configFile = path.join(folder, 'config.json');
  await mkdir(stateDir, { recursive: true });
  await writeFile(configFile, JSON.stringify({ state_dir: stateDir, root: folder, ...config }));
  await writeFile(path.join(stateDir, 'credentials.json'), JSON.stringify(credentials(server.url)));
  const startedAt = performance.now();
  const launcher = spawn(executable, ['launch', '--state-dir', stateDir], {
    stdio: 'ignore',
    env: { PATH: process.env.PATH ?? '', OTA_AGENT_CONFIG: configFile },
  });
  await once(server.events, 'poll');
  const msUntilPoll = performance.now() - startedAt;
  await sleep(SETTLE_MS);
  return {
    launcher: pidOf(launcher),
    agent: await childOf(pidOf(launcher)),
    msUntilPoll,
    stop: async () => {
      launcher.kill('SIGTERM');
      await once(launcher, 'exit');
    },
  };
}

/**
 * Drops the file from the page cache. A file that was just written is cached in blocks of up to 2 MiB, and
 * the kernel maps a whole block where one page is needed. A device that has restarted since the agent was
 * installed has the pages that it reads.
 */
export function dropFromCache(file: string): void {
  const { status } = spawnSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
  if (status !== 0) throw new Error(`dd could not drop ${file} from the page cache`);
}

function credentials(serverUrl: string): object {
  return {
    server_url: serverUrl,
    device_id: 'device-of-the-bench',
    device_name: null,
    organization_id: null,
    auth_token: 'token-of-the-bench',
    heartbeat_interval: 60,
    config_version: null,
    hardware_id: 'bench',
  };
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error('the launcher did not start');
  return pid;
}
