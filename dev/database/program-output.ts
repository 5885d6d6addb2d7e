import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

const REMEMBERED_LINES = 40;

/** The last lines a program wrote to its standard error, for an error message. */
export class ProgramOutput {
  readonly #lines: string[] = [];

  constructor(child: ChildProcess, onLine?: (line: string) => void) {
    if (!child.stderr) return;
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#lines.push(line);
      if (this.#lines.length > REMEMBERED_LINES) this.#lines.shift();
      onLine?.(line);
    });
  }

  tail(): string {
    return this.#lines.join('\n');
  }
}
