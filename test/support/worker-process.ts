import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';

const MAIN = path.join(import.meta.dirname, 'worker-main.ts');
const CLOCK_SKEW = path.join(import.meta.dirname, 'clock-skew.ts');

export interface WorkerProcess {
  /** Resolves when the worker is active. */
  ready: Promise<void>;
  /** Kills the process with SIGKILL and waits for its end. */
  kill(): Promise<void>;
}

/**
 * Starts a worker of the plugin in a process of its own, which a test can kill.
 *
 * @param clockSkewMs how far the clock of the process is ahead
 */
export function startWorkerProcess(
  databaseUrl: string,
  config: object,
  clockSkewMs = 0,
): WorkerProcess {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import=tsx', `--import=${CLOCK_SKEW}`, MAIN],
    {
      env: {
        ...process.env,
        DATABASE_URL: databaseUrl,
        CLOCK_SKEW_MS: String(clockSkewMs),
        WORKER_CONFIG: JSON.stringify(config),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const exited = once(child, 'exit');
  const killWithRun = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithRun);
  const ready = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      if (line === 'ready') resolve();
    });
  });
  return {
    ready,
    async kill() {
      process.off('exit', killWithRun);
      child.kill('SIGKILL');
      await exited;
    },
  };
}
