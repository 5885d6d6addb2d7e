/**
 * Fetches the package into a file. What is there of an earlier try is continued when the server can
 * prove it still has the same file (Range with If-Range); otherwise the download starts over.
 */
import { type FileHandle, mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import type { Dispatcher } from 'undici';
import type { AgentConfig } from '../config.ts';
import { errorCode, readIfPresent, writeDurable } from '../state/durable-file.ts';
import { StepFailure, messageOf } from '../errors.ts';
import { type HttpClient, firstOf } from '../network/http-client.ts';
import { Interruption, requestPackage } from '../network/package-request.ts';
import { packageUrlFault } from '../network/package-url.ts';
import { backoff, parseRetryAfter, pause } from '../timing.ts';

const TRANSIENT = new Set([408, 425, 429, 500, 502, 503, 504]);
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 60_000;
/** Milliseconds; a device's clock jumps by years when it finds a time server after its start. */
const monotonic = (): number => performance.now();

export interface DownloadRequest {
  url: string;
  /** Where the bytes go; `<file>.json` beside it holds what is needed to continue. */
  file: string;
  /** What the file must turn out to be; a part of another package is never continued. */
  checksum: string;
  limits: AgentConfig['download'];
  /** When the size is known beforehand (a signed manifest tells): not one byte more is accepted. */
  exactSize: number | null;
  /** The token goes to this origin and to no other. */
  server: { origin: string; token: string };
  http: HttpClient;
  logger: Logger;
  signal: AbortSignal;
  /** Percent, when the size is known. */
  onProgress: (percent: number | null) => void;
}

/** What proves that a partial file is a beginning of what the server has now. */
interface PartInfo {
  url: string;
  checksum: string;
  validator: string | null;
  total: number | null;
}

/**
 * Resolves when the server has sent everything; whether it is the right thing is for the check.
 * @returns whether a part fetched earlier was continued
 * @throws {StepFailure} when the package cannot be had, and why
 */
export async function downloadPackage(job: DownloadRequest): Promise<{ resumed: boolean }> {
  const fault = packageUrlFault(job.url, job.limits.allow_insecure_loopback);
  if (fault) throw new StepFailure(`Download refused: ${fault}`);
  await mkdir(dirname(job.file), { recursive: true, mode: 0o700 });
  const deadline = monotonic() + job.limits.deadline_seconds * 1000;
  for (let failures = 0; ;) {
    job.signal.throwIfAborted();
    const before = await sizeOf(job.file);
    try {
      const resumed = await fetchOnce(job);
      return { resumed };
    } catch (error) {
      if (job.signal.aborted) throw job.signal.reason;
      if (!(error instanceof Interruption)) throw asStepFailure(error);
      // A try that brought new bytes is progress: only fruitless ones in a row are counted.
      failures = (await sizeOf(job.file)) > before ? 1 : failures + 1;
      if (failures >= job.limits.max_attempts) {
        throw new StepFailure(`Download failed after ${failures} tries: ${error.message}`);
      }
      const wait = error.retryAfter ?? backoff(failures, RETRY_MIN_MS, RETRY_MAX_MS, Math.random());
      if (monotonic() + wait > deadline) {
        throw new StepFailure(
          `Download not finished within ${job.limits.deadline_seconds} seconds: ${error.message}`,
        );
      }
      job.logger.warn(`download interrupted (${error.message}); trying again`);
      await pause(wait, job.signal);
    }
  }
}

/** Forgets what was fetched. */
export async function discardDownload(file: string): Promise<void> {
  await rm(file, { force: true });
  await rm(`${file}.json`, { force: true });
}

async function fetchOnce(job: DownloadRequest): Promise<boolean> {
  const part = await continuablePart(job);
  if (part && part.total !== null && part.size === part.total) return true;
  const headers = part
    ? { range: `bytes=${part.size}-`, 'if-range': part.validator }
    : ({} as Record<string, string>);
  const answer = await requestPackage(job, headers);
  try {
    await store(job, answer, part);
    return part !== null && answer.statusCode === 206;
  } finally {
    answer.body.on('error', () => undefined);
    answer.body.destroy();
  }
}

async function continuablePart(
  job: DownloadRequest,
): Promise<{ size: number; validator: string; total: number | null } | null> {
  const size = await sizeOf(job.file);
  const text = await readIfPresent(`${job.file}.json`);
  if (size > 0 && text !== null) {
    try {
      const info = JSON.parse(text) as PartInfo;
      if (info.url === job.url && info.checksum === job.checksum && info.validator !== null) {
        return { size, validator: info.validator, total: info.total };
      }
    } catch {
      // Unreadable: start over.
    }
  }
  await discardDownload(job.file);
  return null;
}

async function store(
  job: DownloadRequest,
  answer: Dispatcher.ResponseData,
  part: { size: number } | null,
): Promise<void> {
  const { statusCode: status, headers } = answer;
  if (status === 416) {
    await discardDownload(job.file);
    throw new Interruption('the server has no more bytes of this file; starting over');
  }
  if (status !== 200 && status !== 206) {
    if (!TRANSIENT.has(status))
      throw new StepFailure(`Download failed: the server answered ${status}`);
    const wait = parseRetryAfter(firstOf(headers['retry-after']), Date.now());
    throw new Interruption(`the server answered ${status}`, wait);
  }
  const encoding = firstOf(headers['content-encoding']);
  if (encoding && encoding !== 'identity') {
    throw new StepFailure(`Download failed: the server sent the package as ${encoding}`);
  }
  const start = part && status === 206 ? rangeStart(firstOf(headers['content-range'])) : 0;
  if (status === 206 && (!part || start !== part.size)) {
    await discardDownload(job.file);
    throw new Interruption('the server sent another range than asked for; starting over');
  }
  const length = Number(firstOf(headers['content-length']) ?? Number.NaN);
  const total = Number.isSafeInteger(length) ? start + length : null;
  const max = job.exactSize ?? job.limits.max_bytes;
  if (total !== null && total > max) throw tooLarge(job, max);
  await writeDurable(
    `${job.file}.json`,
    JSON.stringify({
      url: job.url,
      checksum: job.checksum,
      validator: validatorOf(headers),
      total,
    } satisfies PartInfo),
  );
  const handle = await open(job.file, start > 0 ? 'r+' : 'w', 0o600);
  try {
    await receive(job, answer.body, handle, start, total, max);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function receive(
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
  const windowMs = limits.min_speed_window_seconds * 1000;
  try {
    for await (const chunk of body) {
      if (position + chunk.length > max) throw tooLarge(job, max);
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
    const known = error instanceof Interruption || error instanceof StepFailure;
    // A fault of the local disk has a system call; a broken connection is worth another try.
    if (known || isDiskFault(error)) throw error;
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

/** A strong ETag, else the date: what `If-Range` can be answered by. */
function validatorOf(headers: Dispatcher.ResponseData['headers']): string | null {
  const etag = firstOf(headers.etag);
  if (etag && /^"/.test(etag)) return etag;
  return etag ? null : (firstOf(headers['last-modified']) ?? null);
}

function rangeStart(header: string | undefined): number {
  return Number(/^bytes (\d+)-/.exec(header ?? '')?.[1] ?? Number.NaN);
}

function tooLarge(job: DownloadRequest, max: number): StepFailure {
  const rule = job.exactSize === null ? 'download.max_bytes allows' : 'the manifest says';
  return new StepFailure(`Download refused: the package is larger than the ${max} bytes ${rule}`);
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

const DISK_FAULTS = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS', 'EIO', 'EACCES', 'EPERM']);

function isDiskFault(error: unknown): boolean {
  const call = (error as { syscall?: unknown }).syscall;
  return DISK_FAULTS.has(errorCode(error) ?? '') && call !== 'connect' && call !== 'read';
}

function asStepFailure(error: unknown): unknown {
  if (error instanceof StepFailure || !isDiskFault(error)) return error;
  return new StepFailure(`Download failed: the package cannot be stored: ${messageOf(error)}`);
}
