/** Starts the servers of `bare-servers.ts` in their own process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';

export interface Baseline {
  /** URL of the bare Express server. */
  express: string;
  /** URL of the bare `node:http` server. */
  node: string;
  /** URL of the Express server with one statement per poll. */
  lookup: string;
  /** Process of all servers. */
  pid: number;
  close(): void;
}

export async function startBaseline(databaseUrl: string): Promise<Baseline> {
  const file = path.join(import.meta.dirname, 'bare-servers.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', file, databaseUrl], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const urls = JSON.parse(line) as Pick<Baseline, 'express' | 'node' | 'lookup'>;
  if (child.pid === undefined) throw new Error('the bare servers did not start');
  return { ...urls, pid: child.pid, close: () => void child.kill() };
}
