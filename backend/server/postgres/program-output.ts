import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

const KEPT_LINES = 40;

/** Keeps the last lines of a program's standard error, for error messages. */
export class ProgramOutput {
  readonly #lines: string[] = [];

  constructor(child: ChildProcess, onLine?: (line: string) => void) {
    if (!child.stderr) return;
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#lines.push(line);
      if (this.#lines.length > KEPT_LINES) this.#lines.shift();
      onLine?.(line);
    });
  }

  tail(): string {
    return this.#lines.join('\n');
  }
}
