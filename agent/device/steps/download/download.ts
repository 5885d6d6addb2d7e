/**
 * Downloads the package into a file, and resumes a part of an earlier try, of this attempt or the previous one
 * (Range, with If-Range where there is a strong ETag). Only the checksum decides whether the bytes are right; no
 * header and no status does.
 */
import { mkdir, open } from 'node:fs/promises';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { dirname } from 'node:path';
import { isDiskFull } from '../../../files/reserve.ts';
import { NoSpace, requireRoom } from '../../../files/room.ts';
import { Deferred, StepFailure, messageOf } from '../../../kernel/errors.ts';
import { backoff } from '../../../kernel/retry.ts';
import { pause } from '../../../kernel/waiting.ts';
import { packageUrlFault } from '../../../package/package-url.ts';
import { firstOf } from '../../network/http-client.ts';
import { Interruption, requestPackage } from '../../network/package-request.ts';
import { discardBody } from '../../network/send-request.ts';
import { checkPackage } from './check-package.ts';
import type { DownloadRequest } from './download-request.ts';
import { answerFault, isPage, startOf } from './package-answer.ts';
import {
  type Part,
  describePart,
  discardDownload,
  isSamePackage,
  rangeHeaders,
  resumablePart,
  sizeOf,
} from './partial-download.ts';
import { isDiskFault, monotonic, receiveBody, tooLarge } from './receive-body.ts';

/** Fruitless tries, after which a temporary condition defers the attempt to the next cycle. */
const TRIES_BEFORE_DEFERRING = 3;
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 60_000;

/**
 * Resolves when the package is complete and its checksum right.
 * @throws {StepFailure} why the package cannot be downloaded
 * @throws {Deferred} for a condition that passes without anybody's doing
 */
export async function downloadPackage(job: DownloadRequest): Promise<void> {
  const fault = packageUrlFault(job.url, job.limits.allow_insecure_loopback);
  if (fault) throw new StepFailure(`Download refused: ${fault}`);
  await mkdir(dirname(job.file), { recursive: true, mode: 0o700 });
  const deadline = monotonic() + job.limits.deadline_seconds * 1000;
  const triesBeforeDeferring = Math.min(TRIES_BEFORE_DEFERRING, job.limits.max_attempts);
  for (let failures = 0; ;) {
    job.signal.throwIfAborted();
    const before = await sizeOf(job.file);
    try {
      await fetchAndCheck(job);
      return;
    } catch (error) {
      if (job.signal.aborted) throw job.signal.reason;
      if (!(error instanceof Interruption)) throw asStepFailure(error);
      // A try that brought new bytes is progress: only fruitless ones in a row are counted.
      failures = (await sizeOf(job.file)) > before ? 1 : failures + 1;
      const wait = error.retryAfter ?? backoff(failures, RETRY_MIN_MS, RETRY_MAX_MS, Math.random());
      const late = monotonic() + wait > deadline;
      if (error.passes && (failures >= triesBeforeDeferring || late)) {
        throw new Deferred(`the package cannot be fetched yet: ${error.message}`);
      }
      if (failures >= job.limits.max_attempts) {
        throw new StepFailure(`Download failed after ${failures} tries: ${error.message}`);
      }
      if (late) {
        throw new StepFailure(
          `Download not finished within ${job.limits.deadline_seconds} seconds: ${error.message}`,
        );
      }
      job.logger.warn(`download interrupted (${error.message}); trying again`);
      await pause(wait, job.signal);
    }
  }
}

async function fetchAndCheck(job: DownloadRequest): Promise<void> {
  const part = await resumablePart(job);
  const complete = part !== null && part.size === part.total;
  const { resumed, sized } = complete ? { resumed: true, sized: true } : await fetchOnce(job, part);
  try {
    await checkPackage(job.file, job.checksum, job.signal);
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error;
    // Without a known length, a body that was cut off cannot be told from a whole one.
    if (!sized && !resumed) throw new Interruption(`${error.message} The body may have been cut.`);
    await discardDownload(job.file);
    // The earlier part may have been of another file after all: download it again from the beginning.
    if (resumed) throw new Interruption(`${error.message} Downloading from the beginning.`);
    throw error;
  }
}

/** @returns whether a part was resumed; whether the size was known */
async function fetchOnce(
  job: DownloadRequest,
  part: Part | null,
): Promise<{ resumed: boolean; sized: boolean }> {
  const answer = await requestPackage(job, part ? rangeHeaders(job, part) : {});
  try {
    const total = await store(job, answer, part);
    return { resumed: answer.statusCode === 206, sized: total !== null };
  } finally {
    discardBody(answer);
  }
}

/** @returns the size of the whole package, where it is known */
async function store(
  job: DownloadRequest,
  answer: IncomingMessage,
  part: Part | null,
): Promise<number | null> {
  const { statusCode: status, headers } = answer;
  if (status === 416) {
    await discardDownload(job.file);
    throw new Interruption('the server has no more bytes of this file; starting over');
  }
  if (status !== 200 && status !== 206) throw await answerFault(job, answer);
  const body = await startOf(answer);
  // A page in place of the package must not replace what was downloaded of it.
  if (status === 200 && isPage(headers, body.first)) {
    throw new Interruption('something between device and server sent a page, not the package', {
      passes: true,
    });
  }
  const start = status === 206 ? rangeStart(firstOf(headers['content-range'])) : 0;
  if (status === 206 && (!part || start !== part.size || !isSamePackage(part, job, headers))) {
    await discardDownload(job.file);
    throw new Interruption('the server sent another range than requested; starting over');
  }
  const total = sizeOfWhole(headers, start, job.exactSize);
  const max = job.exactSize ?? job.limits.max_bytes;
  if (total !== null && total > max) throw tooLarge(job, max);
  if (total !== null) await requireRoom(dirname(job.file), total - start, 'the package');
  await describePart(job, headers, total);
  const handle = await open(job.file, start > 0 ? 'r+' : 'w', 0o600);
  try {
    await receiveBody(job, body.all, handle, start, total, max);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return total;
}

function sizeOfWhole(
  headers: IncomingHttpHeaders,
  start: number,
  exactSize: number | null,
): number | null {
  const length = Number(firstOf(headers['content-length']) ?? Number.NaN);
  return Number.isSafeInteger(length) ? start + length : exactSize;
}

function rangeStart(header: string | undefined): number {
  return Number(/^bytes (\d+)-/.exec(header ?? '')?.[1] ?? Number.NaN);
}

function asStepFailure(error: unknown): unknown {
  if (error instanceof StepFailure || !isDiskFault(error)) return error;
  const Fault = isDiskFull(error) ? NoSpace : StepFailure;
  return new Fault(`Download failed: the package cannot be stored: ${messageOf(error)}`);
}
