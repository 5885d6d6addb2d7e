/** The command `ota` as it is shipped, run as a process in a folder of the test. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

export const ROOT = path.resolve(import.meta.dirname, '../..');
const PROGRAM = path.join(ROOT, 'dist', 'agent', 'release-cli', 'main.js');

export interface Exit {
  code: number | null;
  stdout: string;
  stderr: string;
}

export class OtaFolder {
  readonly #running = new Set<ChildProcess>();

  private constructor(readonly path: string) {}

  static async create(): Promise<OtaFolder> {
    if (!existsSync(PROGRAM))
      throw new Error('dist/agent/release-cli is missing: run "npm run build".');
    return new OtaFolder(await mkdtemp(path.join(tmpdir(), 'ota-command-')));
  }

  at(...names: string[]): string {
    return path.join(this.path, ...names);
  }

  /** Nothing of the test's own environment but PATH gets in. */
  start(
    args: string[],
    env: Record<string, string> = {},
  ): { process: ChildProcess; exit: Promise<Exit>; said(): string } {
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      cwd: this.path,
      env: { PATH: process.env.PATH ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#running.add(child);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const exit = once(child, 'close').then(([code]) => {
      this.#running.delete(child);
      return { code: code as number | null, stdout, stderr };
    });
    return { process: child, exit, said: () => stdout + stderr };
  }

  run(args: string[], env: Record<string, string> = {}): Promise<Exit> {
    return this.start(args, env).exit;
  }

  async remove(): Promise<void> {
    for (const child of this.#running) {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
    await rm(this.path, { recursive: true, force: true });
  }
}
