/** Stores the body of a download: bandwidth limit, minimum speed, size and free space. */
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '../../../files/durable-file.ts';
import { requireRoom } from '../../../files/room.ts';
import { StepFailure, messageOf } from '../../../kernel/errors.ts';
import { pause } from '../../../kernel/waiting.ts';
import { Interruption } from '../../network/package-request.ts';
import type { DownloadRequest } from './download-request.ts';

/** How often the free space is checked: others write to the disk as well, and the size may be unknown. */
const ROOM_CHECK_BYTES = 512 * 1024;

/** Milliseconds. A device's clock jumps by years when it finds a time server after its start. */
export const monotonic = (): number => performance.now();

/**
 * Writes the body to the file, within all limits.
 * @param start position of the first byte in the file
 * @param total size of the whole package, where it is known
 * @throws {Interruption} a broken or slow connection
 */
export async function receiveBody(
  job: DownloadRequest,
  body: AsyncIterable<Buffer>,
  handle: FileHandle,
  start: number,
  total: number | null,
  max: number,
): Promise<void> {
  const { limits } = job;
  const began = monotonic();
  let position = start;
  let window = { since: began, position };
  let roomChecked = position;
  const windowMs = limits.min_speed_window_seconds * 1000;
  try {
    for await (const chunk of body) {
      if (position + chunk.length > max) throw tooLarge(job, max);
      if (position + chunk.length - roomChecked > ROOM_CHECK_BYTES) {
        await requireRoom(dirname(job.file), chunk.length, 'the package');
        roomChecked = position;
      }
      await writeAll(handle, chunk, position);
      position += chunk.length;
      job.onProgress(total ? Math.floor((position / total) * 100) : null);
      const elapsed = monotonic() - window.since;
      if (elapsed >= windowMs) {
        const speed = ((position - window.position) / elapsed) * 1000;
        if (speed < limits.min_bytes_per_second) {
          throw new Interruption(`only ${Math.round(speed)} bytes a second arrive`);
        }
        window = { since: monotonic(), position };
      }
      if (limits.max_bytes_per_second > 0) {
        const due = began + ((position - start) / limits.max_bytes_per_second) * 1000;
        if (due > monotonic()) await pause(due - monotonic(), job.signal);
      }
    }
  } catch (error) {
    const isClassified = error instanceof Interruption || error instanceof StepFailure;
    // A broken connection is worth another try, a fault of the local disk is not.
    if (isClassified || isDiskFault(error)) throw error;
    throw new Interruption(`the connection broke after ${position} bytes: ${messageOf(error)}`);
  }
  if (total !== null && position < total) {
    throw new Interruption(`the connection ended after ${position} of ${total} bytes`);
  }
}

async function writeAll(handle: FileHandle, chunk: Buffer, position: number): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    const { bytesWritten } = await handle.write(chunk, done, chunk.length - done, position + done);
    done += bytesWritten;
  }
}

export function tooLarge(job: DownloadRequest, max: number): StepFailure {
  const rule = job.exactSize === null ? 'of download.max_bytes' : 'in the manifest';
  return new StepFailure(`Download refused: the package is larger than the ${max} bytes ${rule}`);
}

const DISK_FAULTS = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS', 'EIO', 'EACCES', 'EPERM']);

/** Whether a system call on the local disk failed. */
export function isDiskFault(error: unknown): boolean {
  const call = (error as { syscall?: unknown }).syscall;
  return DISK_FAULTS.has(errorCode(error) ?? '') && call !== 'connect' && call !== 'read';
}
