/**
 * The end of a program's output, as plain text, without the frames of a stack: the error is above them.
 */
const KEPT_BYTES = 4096;
const LINES = 5;
const CHARACTERS = 1000;
const CONTROL = /[^\P{Cc}\n\t]/gu;

export class LastLines {
  #kept = Buffer.alloc(0);

  add(chunk: Buffer): void {
    this.#kept = Buffer.concat([this.#kept, chunk]).subarray(-KEPT_BYTES);
  }

  text(): string {
    const text = this.#kept.toString('utf8').replace(CONTROL, '');
    const lines = text.split('\n').filter((line) => line.trim() && !/^ {4}at /.test(line));
    return lines.slice(-LINES).join('\n').slice(-CHARACTERS);
  }
}
