/**
 * The log of one attempt: what the agent did, and the script's output. Its beginning is written to disk at
 * once, so that there is something to send after the agent was killed. Colours and carriage returns are kept:
 * the page shows them.
 */
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { MAX_INSTALL_LOG_BYTES } from '../../../backend/contract/device-api.ts';
import { LimitedOutput, keepEnds, terminalText } from '../process/limited-output.ts';

const ON_DISK_LIMIT = MAX_INSTALL_LOG_BYTES / 2;

export class InstallLog {
  readonly #output = new LimitedOutput(MAX_INSTALL_LOG_BYTES, terminalText);
  #file: number | null = null;
  #onDisk = 0;

  constructor(path: string) {
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      this.#file = openSync(path, 'a+', 0o600);
      const earlier = readFileSync(this.#file);
      this.#output.write(earlier);
      this.#onDisk = earlier.length;
    } catch {
      // No room, or something in the way: kept in memory only.
      this.#onDisk = ON_DISK_LIMIT;
    }
  }

  /** A line by the agent itself. */
  line(text: string): void {
    this.write(Buffer.from(`[${new Date().toISOString()}] ${text}\n`));
  }

  write(chunk: Buffer): void {
    this.#output.write(chunk);
    const room = ON_DISK_LIMIT - this.#onDisk;
    if (room <= 0 || this.#file === null) return;
    try {
      this.#onDisk += writeSync(this.#file, chunk.subarray(0, room));
    } catch {
      // A full disk must not stop an installation because of its log: kept in memory only.
      this.#onDisk = ON_DISK_LIMIT;
    }
  }

  /** @param limit bytes of UTF-8 */
  text(limit = MAX_INSTALL_LOG_BYTES): string {
    return keepEnds(this.#output.text(), Math.max(Math.min(limit, MAX_INSTALL_LOG_BYTES), 0));
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
  }
}
