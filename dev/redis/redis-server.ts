/** A temporary Redis server without persistence. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { freePort } from '../../backend/server/postgres/free-port.ts';
import { findProgram, REDIS_SERVER } from '../programs.ts';

export interface RedisServer {
  url: string;
  port: number;
  stop(): Promise<void>;
}

/**
 * @param port default: a free port; pass one to replace an earlier server
 * @returns `null` if redis-server is not installed
 */
export async function startRedisServer(port?: number): Promise<RedisServer | null> {
  const program = findProgram(REDIS_SERVER);
  if (program === null) return null;
  const chosen = port ?? (await freePort());
  const child = spawn(
    program,
    ['--port', String(chosen), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    { cwd: '/', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const ended = once(child, 'close').catch(() => undefined);
  await untilReady(child);
  const killOnExit = (): void => void child.kill('SIGKILL');
  process.once('exit', killOnExit);
  return {
    url: `redis://127.0.0.1:${chosen}`,
    port: chosen,
    async stop() {
      process.off('exit', killOnExit);
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function untilReady(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const lines: string[] = [];
    child.once('error', reject);
    child.once('close', () => {
      reject(new Error(`redis-server did not start:\n${lines.join('\n')}`));
    });
    createInterface({ input: child.stdout! }).on('line', (line) => {
      lines.push(line);
      if (line.includes('Ready to accept connections')) resolve();
    });
  });
}
