/** Starts the bare servers of `bare-servers.ts` in a process of their own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';

export interface Limits {
  /** Addresses of a bare Express and a bare `node:http` server. */
  express: string;
  node: string;
  close(): void;
}

export async function startLimits(): Promise<Limits> {
  const file = path.join(import.meta.dirname, 'bare-servers.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { express, node } = JSON.parse(line) as { express: string; node: string };
  return { express, node, close: () => void child.kill() };
}
