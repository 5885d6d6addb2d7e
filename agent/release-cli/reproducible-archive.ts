/**
 * A `.tar.gz` whose bytes depend on paths and contents only: not on times, owners, umask, hard links or the
 * order of the folder. Of a file's mode, only whether it is executable is kept.
 */
import { constants, createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { Header, Pax } from 'tar';
import { UsageError } from '../kernel/errors.ts';
import { EXIT } from './exit-codes.ts';
import type { TreeEntry } from './package-tree.ts';

const BLOCK = 512;
const EPOCH = new Date(0);
/** Offset of the operating system in a gzip header, and the value for "unknown" (RFC 1952, 2.3.1). */
const GZIP_SYSTEM = 9;
const UNKNOWN_SYSTEM = 255;

/** @throws {UsageError} when a file changes while it is packed */
export async function writeArchive(
  folder: string,
  entries: readonly TreeEntry[],
  file: string,
): Promise<void> {
  await pipeline(
    Readable.from(tarOf(folder, entries)),
    createGzip({ level: 9 }),
    anonymousGzip(),
    createWriteStream(file),
  );
}

async function* tarOf(folder: string, entries: readonly TreeEntry[]): AsyncGenerator<Buffer> {
  for (const entry of entries) {
    yield headerOf(entry);
    if (entry.content !== undefined) yield padded(Buffer.from(entry.content));
    else if (!entry.isFolder) yield* contentOf(join(folder, entry.path), entry);
  }
  yield Buffer.alloc(2 * BLOCK);
}

function headerOf({ path, isFolder, size, executable }: TreeEntry): Buffer {
  const facts = {
    path: isFolder ? `${path}/` : path,
    mode: executable ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    size,
    mtime: EPOCH,
    type: isFolder ? ('Directory' as const) : ('File' as const),
  };
  const block = Buffer.alloc(BLOCK);
  const needsPax = new Header(facts).encode(block);
  return needsPax ? Buffer.concat([new Pax({ path: facts.path, size }).encode(), block]) : block;
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc(-content.length & (BLOCK - 1))]);
}

async function* contentOf(path: string, { path: name, size }: TreeEntry): AsyncGenerator<Buffer> {
  const changed = (): never => {
    throw new UsageError(`${name} changed while it was packed. Pack again.`, EXIT.usage);
  };
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    let read = 0;
    for await (const chunk of handle.createReadStream({ autoClose: false })) {
      read += (chunk as Buffer).length;
      if (read > size) changed();
      yield chunk as Buffer;
    }
    if (read !== size) changed();
    const rest = read % BLOCK;
    if (rest > 0) yield Buffer.alloc(BLOCK - rest);
  } finally {
    await handle.close();
  }
}

function anonymousGzip(): Transform {
  let position = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const at = GZIP_SYSTEM - position;
      if (at >= 0 && at < chunk.length) chunk[at] = UNKNOWN_SYSTEM;
      position += chunk.length;
      done(null, chunk);
    },
  });
}
