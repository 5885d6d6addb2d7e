/** What an archive may contain. */
import type { ReadEntry } from 'tar';
import type { ExtractLimits } from './limits.ts';
import { StepFailure } from '../kernel/errors.ts';
import { NoSpace } from '../files/room.ts';
import { NOT_UTF8, isNotUtf8 } from './archive-headers.ts';

const MAX_PATH_BYTES = 1024;
const KEPT_MODE_BITS = 0o777;
/** Entries that are neither files nor folders, and what to do instead. */
const KINDS: Record<string, [name: string, instead: string]> = {
  SymbolicLink: ['a symbolic link', 'Leave it out, and create it in install.sh with "ln -s"'],
  Link: [
    'a hard link, a second name of a file',
    'Build the package with "ota pack", or tar with --hard-dereference',
  ],
  CharacterDevice: ['a device', 'Leave it out, and create it in install.sh with "mknod"'],
  BlockDevice: ['a device', 'Leave it out, and create it in install.sh with "mknod"'],
  FIFO: ['a pipe', 'Leave it out, and create it in install.sh with "mkfifo"'],
  SparseFile: ['a file with holes (sparse)', 'Build the package with tar without --sparse'],
};

/** `admit` is called for each entry before anything of it is written. */
export class ArchiveRules {
  readonly #files = new Set<string>();
  readonly #folders = new Set<string>();
  #entries = 0;
  #bytes = 0;

  /**
   * @param maxBytes of all files together
   * @param room bytes that are free on the disk
   */
  constructor(
    private readonly limits: ExtractLimits,
    private readonly maxBytes: number,
    private readonly room: number,
  ) {}

  /** @throws {StepFailure} */
  admit(path: string, entry: ReadEntry): true {
    if (++this.#entries > this.limits.max_entries) {
      throw new StepFailure(`The package has more than ${this.limits.max_entries} entries.`);
    }
    const refuse = (why: string): never => {
      throw refusal(path, why);
    };
    const isFolder = entry.type === 'Directory';
    if (!isFolder && entry.type !== 'File' && entry.type !== 'OldFile') {
      refuse(kindFault(entry.type));
    }
    if (isNotUtf8(path)) throw new StepFailure(`The package is refused: ${NOT_UTF8}.`);
    if (path.startsWith('/')) refuse('is an absolute path');
    // eslint-disable-next-line no-control-regex -- exactly these must not become file names
    if (/[\u0000-\u001f\u007f\\]/.test(path)) refuse('has control characters or backslashes');
    if (Buffer.byteLength(path) > MAX_PATH_BYTES) refuse('is too long');
    const parts = path.split('/').filter((part) => part !== '' && part !== '.');
    if (parts.includes('..')) refuse('leads out of the package');
    if (parts.length > this.limits.max_depth) refuse('is too deep');
    const name = parts.join('/');
    if (!isFolder) {
      if (name === '') refuse('has no name');
      if (this.#files.has(name) || this.#folders.has(name)) refuse('occurs twice');
      this.#files.add(name);
      this.#bytes += entry.size;
      if (this.#bytes > this.maxBytes) {
        refuse(`takes the files to more than ${this.maxBytes} bytes: a decompression bomb`);
      }
      if (this.#bytes > this.room) {
        throw new NoSpace(
          `Not enough space: the unpacked package needs more than the ${this.room} bytes the disk has for it.`,
        );
      }
    } else if (this.#files.has(name)) refuse('is a file and a folder');
    else this.#folders.add(name);
    for (let depth = 1; depth < parts.length; depth++) {
      const parent = parts.slice(0, depth).join('/');
      if (this.#files.has(parent)) refuse('lies below a file');
      this.#folders.add(parent);
    }
    entry.mode = (entry.mode ?? 0o644) & KEPT_MODE_BITS;
    return true;
  }

  requireExactly({ unpackedSize, fileCount }: { unpackedSize: number; fileCount: number }): void {
    if (this.#bytes !== unpackedSize || this.#files.size !== fileCount) {
      throw new StepFailure(
        `The package holds ${this.#files.size} files of ${this.#bytes} bytes, but its manifest has ${fileCount} files of ${unpackedSize} bytes.`,
      );
    }
  }
}

export function refusal(path: string, why: string): StepFailure {
  return new StepFailure(`The package is refused: ${JSON.stringify(path.slice(0, 200))} ${why}.`);
}

/** Why an entry of this type is refused, to follow its name. */
export function kindFault(type: string): string {
  const [name, instead] = KINDS[type] ?? [
    `an entry of an unsupported kind (${type})`,
    'Build the package with "ota pack"',
  ];
  return `is ${name}; only files and folders are allowed. ${instead}`;
}
