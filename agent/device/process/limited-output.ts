/** Keeps the beginning and the end of long output, within a fixed amount of memory. */
import { stripVTControlCharacters } from 'node:util';

/** Every control character except tab and line feed. */
const CONTROL = /[^\P{Cc}\t\n]/gu;
/** The same, also except those that colour and redraw lines in a terminal: BEL, BS, CR and ESC. */
// eslint-disable-next-line no-control-regex -- exactly these are kept
const CONTROL_NOT_OF_TERMINALS = /[^\P{Cc}\t\n\u0007\b\r\u001b]/gu;
const RESET_COLOURS = '\u001b[0m';
/** How far a cut moves on to the next line, so that no half line or escape sequence comes after it. */
const LINE_REACH = 1024;

export class LimitedOutput {
  readonly #limit: number;
  readonly #toText: (bytes: Buffer) => string;
  readonly #head: Buffer[] = [];
  #headBytes = 0;
  #tail: Buffer[] = [];
  #tailBytes = 0;
  #dropped = 0;

  /**
   * @param limit bytes kept in all, half for the beginning and half for the end
   * @param toText what is kept of control characters: {@link plainText} or {@link terminalText}
   */
  constructor(limit: number, toText = plainText) {
    this.#limit = Math.floor(limit / 2);
    this.#toText = toText;
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

  /** The text kept. */
  text(): string {
    const head = this.#toText(Buffer.concat(this.#head));
    const kept = Buffer.concat(this.#tail);
    const excess = Math.max(this.#tailBytes - this.#limit, 0);
    if (this.#dropped + excess === 0) return head + this.#toText(kept);
    const start = nextLine(kept, excess);
    const gap = gapAfter(head, `${this.#dropped + start} bytes left out`);
    return head + gap + this.#toText(kept.subarray(start));
  }
}

/**
 * Text for a page and a database: no escape sequences, line feeds only, control characters and invalid UTF-8
 * as U+FFFD.
 */
export function plainText(bytes: Buffer): string {
  return stripVTControlCharacters(bytes.toString('utf8'))
    .replace(/\r\n?/g, '\n')
    .replace(CONTROL, '\uFFFD');
}

/**
 * Terminal output of a script, for a reader that understands escape sequences: these, carriage returns and
 * backspaces stay; other control characters and invalid UTF-8 become U+FFFD.
 */
export function terminalText(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/\r+\n/g, '\n').replace(CONTROL_NOT_OF_TERMINALS, '\uFFFD');
}

/** Replaces a character that was cut in half by U+FFFD. */
export function wellFormed(text: string): string {
  return plainText(Buffer.from(text, 'utf8'));
}

/** The beginning and the end of `text` within `limit` bytes of UTF-8, cut between characters. */
export function keepEnds(text: string, limit: number): string {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= limit) return text;
  const marker = gapAfter(text, `${bytes.length - limit} bytes or more left out`);
  const half = Math.floor((limit - Buffer.byteLength(marker)) / 2);
  const head = bytes.subarray(0, boundaryBefore(bytes, half));
  const tail = bytes.subarray(nextLine(bytes, boundaryAfter(bytes, bytes.length - half)));
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

/** A line in place of what is missing; colours that are still on before it are reset. */
function gapAfter(text: string, words: string): string {
  return `\n${text.includes('\u001b') ? RESET_COLOURS : ''}… ${words} …\n`;
}

/** Where the next line begins, or `position` where none begins within reach. */
function nextLine(bytes: Buffer, position: number): number {
  const feed = bytes.subarray(0, position + LINE_REACH).indexOf('\n', position);
  return feed === -1 || feed === bytes.length - 1 ? position : feed + 1;
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
