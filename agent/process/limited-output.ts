/** Keeps the beginning and the end of a flood, within a fixed amount of memory. */
import { stripVTControlCharacters } from 'node:util';

/** Every control character but tab and line feed. */
const CONTROL = /[^\P{Cc}\t\n]/gu;

export class LimitedOutput {
  readonly #limit: number;
  readonly #head: Buffer[] = [];
  #headBytes = 0;
  #tail: Buffer[] = [];
  #tailBytes = 0;
  #dropped = 0;

  /** @param limit bytes kept in all, half for the beginning and half for the end */
  constructor(limit: number) {
    this.#limit = Math.floor(limit / 2);
  }

  write(chunk: Buffer): void {
    const room = this.#limit - this.#headBytes;
    if (room > 0) {
      const part = Buffer.from(chunk.subarray(0, room));
      this.#head.push(part);
      this.#headBytes += part.length;
    }
    if (chunk.length > room) this.#writeTail(Buffer.from(chunk.subarray(Math.max(room, 0))));
  }

  #writeTail(part: Buffer): void {
    this.#tail.push(part);
    this.#tailBytes += part.length;
    while (this.#tailBytes - (this.#tail[0]?.length ?? 0) >= this.#limit) {
      const gone = this.#tail.shift();
      this.#tailBytes -= gone?.length ?? 0;
      this.#dropped += gone?.length ?? 0;
    }
  }

  /** The text kept, as {@link plainText}. */
  text(): string {
    const excess = Math.max(this.#tailBytes - this.#limit, 0);
    const tail = Buffer.concat(this.#tail).subarray(excess);
    const dropped = this.#dropped + excess;
    const gap = dropped > 0 ? `\n… ${dropped} bytes left out …\n` : '';
    return plainText(Buffer.concat(this.#head)) + gap + plainText(tail);
  }
}

/**
 * What a page and a database can show: no colours or other orders to a terminal, every kind of line end
 * one line feed, control characters and invalid UTF-8 as U+FFFD.
 */
export function plainText(bytes: Buffer): string {
  return stripVTControlCharacters(bytes.toString('utf8'))
    .replace(/\r\n?/g, '\n')
    .replace(CONTROL, '\uFFFD');
}

/** What was cut inside a character becomes U+FFFD there. */
export function wellFormed(text: string): string {
  return plainText(Buffer.from(text, 'utf8'));
}

/** The beginning and the end of `text` within `limit` bytes of UTF-8, cut between characters. */
export function keepEnds(text: string, limit: number): string {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= limit) return text;
  const marker = `\n… ${bytes.length - limit} bytes or more left out …\n`;
  const half = Math.floor((limit - Buffer.byteLength(marker)) / 2);
  const head = bytes.subarray(0, boundaryBefore(bytes, half));
  const tail = bytes.subarray(boundaryAfter(bytes, bytes.length - half));
  return head.toString('utf8') + marker + tail.toString('utf8');
}

/** Pieces of at most `limit` bytes of UTF-8, cut between characters. */
export function splitUtf8(text: string, limit: number): { offset: number; chunk: string }[] {
  const bytes = Buffer.from(text, 'utf8');
  const pieces: { offset: number; chunk: string }[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const end = boundaryBefore(bytes, Math.min(offset + limit, bytes.length));
    pieces.push({ offset, chunk: bytes.subarray(offset, end).toString('utf8') });
    offset = end;
  }
  return pieces;
}

const isContinuation = (byte: number | undefined): boolean =>
  byte !== undefined && (byte & 0xc0) === 0x80;

function boundaryBefore(bytes: Buffer, position: number): number {
  let at = position;
  while (at > 0 && at < bytes.length && isContinuation(bytes[at])) at--;
  return at;
}

function boundaryAfter(bytes: Buffer, position: number): number {
  let at = position;
  while (at < bytes.length && isContinuation(bytes[at])) at++;
  return at;
}
