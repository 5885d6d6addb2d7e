/**
 * Unpacks an untrusted package: only plain files and folders, only below the target folder, within limits. The
 * bytes are hashed again on the way, so that what is unpacked is what was checked, even if the file was changed
 * in between.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { ReadEntry } from 'tar';
import { isDecompressedByLibrary, refuseOtherFormats } from './archive-formats.ts';
import { headerFault } from './archive-headers.ts';
import { requireInstallScript } from './install-script.ts';
import { ArchiveRules, kindFault, refusal } from './archive-rules.ts';
import type { ExtractLimits } from './limits.ts';
import { errorCode } from '../files/durable-file.ts';
import { removeTree, requireRemoved } from '../files/remove-tree.ts';
import { isDiskFull } from '../files/reserve.ts';
import { NoSpace, SPARE_BYTES, freeBytes, requireRoom } from '../files/room.ts';
import { StepFailure, messageOf } from '../kernel/errors.ts';

/** Small packages of very repetitive content are not bombs. */
const RATIO_FLOOR_BYTES = 16 * 1024 * 1024;
const MAGIC_BYTES = 4;
/** Large, since a header that spans two pieces would be decoded in halves. */
const PIECE_BYTES = 256 * 1024;

export interface ExtractRequest {
  file: string;
  /** 64 hex digits, lower case. */
  checksum: string;
  /** Emptied before anything is unpacked. */
  target: string;
  limits: ExtractLimits;
  /** From a signed manifest: exactly this has to be in the package. */
  expected: { unpackedSize: number; fileCount: number } | null;
  signal: AbortSignal;
}

/** @throws {StepFailure}; the target folder is gone then */
export async function extractPackage(job: ExtractRequest): Promise<void> {
  try {
    await requireRemoved(job.target);
    await mkdir(job.target, { recursive: true, mode: 0o700 });
    await refuseOtherFormats(job.file);
    await unpack(job);
    await requireInstallScript(job.target);
  } catch (error) {
    // Writes may still be in progress: removing retries until the folder stays away.
    await removeTree(job.target);
    if (job.signal.aborted) throw job.signal.reason;
    if (error instanceof StepFailure) throw error;
    const Fault = isDiskFull(error) ? NoSpace : StepFailure;
    throw new Fault(`The package cannot be unpacked: ${describe(error)}`);
  }
}

async function unpack(job: ExtractRequest): Promise<void> {
  const packed = (await stat(job.file)).size;
  const maxBytes = Math.min(
    job.limits.max_bytes,
    Math.max(packed * job.limits.max_ratio, RATIO_FLOOR_BYTES),
  );
  if (job.expected) await requireRoom(job.target, job.expected.unpackedSize, 'unpacking');
  const free = await freeBytes(job.target);
  const room = free === null ? Infinity : Math.max(free - SPARE_BYTES, 0);
  const rules = new ArchiveRules(job.limits, maxBytes, room);
  // Loaded for an update only, to save the memory.
  const { Unpack } = await import('tar');
  const unpacker = new Unpack({
    cwd: job.target,
    strict: true,
    preserveOwner: false,
    noMtime: true,
    // Compression ends here; see `refuseCompressed`.
    brotli: false,
    zstd: false,
    maxDepth: job.limits.max_depth + 1,
    // A refusal is final: it throws, and nothing after it is written.
    filter: (path: string, entry: unknown) => rules.admit(path, entry as ReadEntry),
  });
  const failed = once(unpacker, 'error').then(([error]) => Promise.reject(error as Error));
  const finished = once(unpacker, 'close');
  failed.catch(() => undefined);
  finished.catch(() => undefined);
  unpacker.on('error', () => undefined);
  unpacker.on('ignoredEntry', (entry: ReadEntry) =>
    unpacker.emit('error', refusal(entry.path, kindFault(entry.type))),
  );
  unpacker.on('meta', (header: string) => {
    const fault = headerFault(header);
    if (fault !== null)
      unpacker.emit('error', new StepFailure(`The package is refused: ${fault}.`));
  });

  const hash = createHash('sha256');
  const gunzip = createGunzip({ chunkSize: PIECE_BYTES });
  let unpacked = 0;
  let head: Buffer = Buffer.alloc(0);
  // What pipeline() itself reports may be only the abort that followed.
  let firstFault: unknown = null;
  await pipeline(
    createReadStream(job.file, { signal: job.signal }),
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        done(null, chunk);
      },
    }),
    gunzip,
    async (chunks: AsyncIterable<Buffer>) => {
      try {
        for await (const chunk of chunks) {
          if (unpacked < MAGIC_BYTES) head = refuseCompressed(Buffer.concat([head, chunk]));
          unpacked += chunk.length;
          if (unpacked > maxBytes) {
            throw new StepFailure(
              `The package unpacks to more than ${maxBytes} bytes (${packed} packed): refused as a decompression bomb.`,
            );
          }
          if (!unpacker.write(chunk)) await Promise.race([once(unpacker, 'drain'), failed]);
        }
      } catch (error) {
        firstFault = error;
        throw error;
      }
    },
  ).catch((error: unknown) => {
    throw firstFault ?? error;
  });
  unpacker.end();
  await Promise.race([finished, failed]);
  if (gunzip.bytesWritten !== packed) {
    throw new StepFailure(
      'The package has data after its end. Build it again; it must be a single gzip file.',
    );
  }
  if (hash.digest('hex') !== job.checksum) {
    throw new StepFailure('The package file changed after it was checked. Nothing was installed.');
  }
  if (job.expected) rules.requireExactly(job.expected);
}

/**
 * The archive library would decompress a second time, past the counter of bytes. So nothing that looks
 * compressed reaches it: a tar archive begins with a file name, never with these bytes.
 */
function refuseCompressed(head: Buffer): Buffer {
  if (isDecompressedByLibrary(head))
    throw new StepFailure('The package is compressed more than once: refused.');
  return head.subarray(0, MAGIC_BYTES);
}

function describe(error: unknown): string {
  switch (errorCode(error)) {
    case 'Z_BUF_ERROR':
      return 'the gzip data ends too early. It was truncated before its checksum was computed: build it again';
    case 'Z_DATA_ERROR':
      return 'the gzip data is damaged or followed by other data, and its checksum was computed from that. Build it again, and run "gzip -t" before it is uploaded';
    case 'ENOSPC':
      return 'the disk is full';
    default:
      return messageOf(error);
  }
}
