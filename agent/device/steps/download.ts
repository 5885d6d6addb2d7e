/**
 * Fetches the package into a file. What is there of an earlier try, of this attempt or the one before, is
 * continued (Range, with If-Range where there is a strong ETag). The checksum decides what is right, and
 * nothing else: no header, no status says that the bytes are wrong.
 */
import { type FileHandle, mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import type { Dispatcher } from 'undici';
import type { AgentConfig } from '../config/agent-config.ts';
import { errorCode, readIfPresent, writeDurable } from '../../files/durable-file.ts';
import { Deferred, StepFailure, messageOf } from '../../kernel/errors.ts';
import { plainText } from '../process/limited-output.ts';
import { isDiskFull } from '../../files/reserve.ts';
import { NoSpace, requireRoom } from '../../files/room.ts';
import { checkPackage } from './check.ts';
import { type HttpClient, firstOf } from '../network/http-client.ts';
import { Interruption, requestPackage } from '../network/package-request.ts';
import { packageUrlFault } from '../../package/package-url.ts';
import { backoff, parseRetryAfter } from '../../kernel/retry.ts';
import { pause } from '../../kernel/waiting.ts';

/** 401 and 403: an address that has expired is signed anew by the next redirect. 511: a portal. */
const TRANSIENT = new Set([401, 403, 408, 425, 429, 500, 502, 503, 504, 511]);
/** Object stores say so with 400, too. */
const PASSING_TEXT = /Expired|RequestTimeout|SlowDown|RequestTimeTooSkewed/;
const MAX_EXPLANATION_BYTES = 2048;
/** After so many fruitless tries a fault that passes by itself is waited for, and the tries begin again. */
const TRIES_BEFORE_WAITING = 3;
/** Others write to the disk, too, and a length may not have been told: looked at this often. */
const ROOM_CHECK_BYTES = 512 * 1024;
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
  /** A strong ETag or a date: what `If-Range` can be answered by. */
  validator: string | null;
  /** ETag as it came, a weak one, too. */
  etag: string | null;
  total: number | null;
}

interface Part extends PartInfo {
  size: number;
}

/**
 * Resolves when the package is there and right.
 * @throws {StepFailure} when the package cannot be had, and why
 * @throws {Deferred} when what keeps it away passes by itself
 */
export async function downloadPackage(job: DownloadRequest): Promise<void> {
  const fault = packageUrlFault(job.url, job.limits.allow_insecure_loopback);
  if (fault) throw new StepFailure(`Download refused: ${fault}`);
  await mkdir(dirname(job.file), { recursive: true, mode: 0o700 });
  const deadline = monotonic() + job.limits.deadline_seconds * 1000;
  const patience = Math.min(TRIES_BEFORE_WAITING, job.limits.max_attempts);
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
      if (error.passes && (failures >= patience || late)) {
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

/** Forgets what was fetched. */
export async function discardDownload(file: string): Promise<void> {
  await rm(file, { force: true });
  await rm(`${file}.json`, { force: true });
}

async function fetchAndCheck(job: DownloadRequest): Promise<void> {
  const part = await continuablePart(job);
  const complete = part !== null && part.size === part.total;
  const { resumed, sized } = complete ? { resumed: true, sized: true } : await fetchOnce(job, part);
  try {
    await checkPackage(job.file, job.checksum, job.signal);
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error;
    // Without a length nothing tells a body that was cut from a whole one, except that there is more.
    if (!sized && !resumed) throw new Interruption(`${error.message} The body may have been cut.`);
    await discardDownload(job.file);
    // The earlier part may have been of another file after all: once more, from the beginning.
    if (resumed) throw new Interruption(`${error.message} Downloading from the beginning.`);
    throw error;
  }
}

/** @returns whether a part was continued; whether the server had said how long the body is */
async function fetchOnce(
  job: DownloadRequest,
  part: Part | null,
): Promise<{ resumed: boolean; sized: boolean }> {
  const answer = await requestPackage(job, part ? rangeHeaders(job, part) : {});
  try {
    const total = await store(job, answer, part);
    return { resumed: answer.statusCode === 206, sized: total !== null };
  } finally {
    answer.body.on('error', () => undefined);
    answer.body.destroy();
  }
}

/** `If-Range` only with what came from the same address: another one names the same file differently. */
function rangeHeaders(job: DownloadRequest, part: Part): Record<string, string> {
  const condition = part.url === job.url ? part.validator : null;
  return { range: `bytes=${part.size}-`, ...(condition ? { 'if-range': condition } : {}) };
}

async function continuablePart(job: DownloadRequest): Promise<Part | null> {
  const size = await sizeOf(job.file);
  const text = await readIfPresent(`${job.file}.json`);
  if (size > 0 && text !== null) {
    try {
      const info = JSON.parse(text) as PartInfo;
      if (info.checksum === job.checksum) return { ...info, size };
    } catch {
      // Unreadable: start over.
    }
  }
  await discardDownload(job.file);
  return null;
}

/** @returns the size of the whole package, where the server told it */
async function store(
  job: DownloadRequest,
  answer: Dispatcher.ResponseData,
  part: Part | null,
): Promise<number | null> {
  const { statusCode: status, headers } = answer;
  if (status === 416) {
    await discardDownload(job.file);
    throw new Interruption('the server has no more bytes of this file; starting over');
  }
  if (status !== 200 && status !== 206) throw await refusal(job, answer);
  const body = await startOf(answer.body);
  // What stands in for the package must not cost what is there of it.
  if (status === 200 && isPage(headers, body.first)) {
    throw new Interruption('something between device and server sent a page, not the package', {
      passes: true,
    });
  }
  const start = status === 206 ? rangeStart(firstOf(headers['content-range'])) : 0;
  if (status === 206 && (!part || start !== part.size || !isSameFile(part, job, headers))) {
    await discardDownload(job.file);
    throw new Interruption('the server sent another range than asked for; starting over');
  }
  const total = sizeOfWhole(headers, start, job.exactSize);
  const max = job.exactSize ?? job.limits.max_bytes;
  if (total !== null && total > max) throw tooLarge(job, max);
  const info: PartInfo = {
    url: job.url,
    checksum: job.checksum,
    validator: validatorOf(headers),
    etag: firstOf(headers.etag) ?? null,
    total,
  };
  if (total !== null) await requireRoom(dirname(job.file), total - start, 'the package');
  await writeDurable(`${job.file}.json`, JSON.stringify(info));
  const handle = await open(job.file, start > 0 ? 'r+' : 'w', 0o600);
  try {
    await receive(job, body.all, handle, start, total, max);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return total;
}

/** An answer without the package. */
async function refusal(
  job: DownloadRequest,
  answer: Dispatcher.ResponseData,
): Promise<StepFailure | Interruption> {
  const { statusCode: status, headers } = answer;
  const text = await explanationOf(answer);
  const said = `the server answered ${status}${text ? `: ${text}` : ''}`;
  const ownServer = job.url.startsWith(`${job.server.origin}/api/`);
  // Ops-Center says what it means in its own words; a host that is starting does not.
  const starting = ownServer && !/\b(not_found|gone)\b/.test(text);
  if (!TRANSIENT.has(status) && !PASSING_TEXT.test(text) && !starting) {
    return new StepFailure(`Download failed: ${said}`);
  }
  const retryAfter = parseRetryAfter(firstOf(headers['retry-after']), Date.now());
  return new Interruption(said, { retryAfter, passes: status === 511 });
}

/** What an object store (`<Code>`, `<Message>`), Ops-Center (`code`, `detail`) or a plain text says. */
async function explanationOf({ body, headers }: Dispatcher.ResponseData): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= MAX_EXPLANATION_BYTES) break;
    }
  } catch {
    // The status has to do.
  }
  const text = plainText(Buffer.concat(chunks).subarray(0, MAX_EXPLANATION_BYTES));
  const pick = (...names: string[]): string | undefined =>
    names
      .map((name) => new RegExp(`<${name}>([^<]*)<|"${name}"\\s*:\\s*"([^"]*)"`).exec(text))
      .map((found) => found?.[1] ?? found?.[2])
      .find((one) => one);
  const parts = [pick('Code', 'code'), pick('Message', 'detail', 'message')].filter(Boolean);
  if (parts.length > 0) return parts.join(': ').slice(0, 300);
  const plain = firstOf(headers['content-type'])?.startsWith('text/plain') ?? false;
  return plain ? text.trim().slice(0, 300) : '';
}

/** The first bytes are looked at before anything is written. */
async function startOf(
  body: AsyncIterable<Buffer>,
): Promise<{ first: Buffer; all: AsyncIterable<Buffer> }> {
  const chunks = body[Symbol.asyncIterator]();
  let head: IteratorResult<Buffer>;
  try {
    head = await chunks.next();
  } catch (error) {
    throw new Interruption(`the connection broke before the first byte: ${messageOf(error)}`);
  }
  const all = async function* (): AsyncGenerator<Buffer> {
    for (let one = head; one.done !== true; one = await chunks.next()) yield one.value;
  };
  return { first: head.done === true ? Buffer.alloc(0) : head.value, all: all() };
}

function isPage(headers: Dispatcher.ResponseData['headers'], first: Buffer): boolean {
  const gzip = first[0] === 0x1f && first[1] === 0x8b;
  const html = /^text\/html\b/i.test(firstOf(headers['content-type']) ?? '');
  return (
    !gzip && (html || /^\ufeff?\s*<(!doctype|html|\?xml)/i.test(first.toString('utf8', 0, 64)))
  );
}

/** A whole that has another size or name by now is not the one the part is of. */
function isSameFile(
  part: Part,
  job: DownloadRequest,
  headers: Dispatcher.ResponseData['headers'],
): boolean {
  const whole = Number(/\/(\d+)$/.exec(firstOf(headers['content-range']) ?? '')?.[1] ?? Number.NaN);
  if (part.total !== null && Number.isSafeInteger(whole) && whole !== part.total) return false;
  const etag = firstOf(headers.etag);
  return part.url !== job.url || part.etag === null || etag === undefined || etag === part.etag;
}

function sizeOfWhole(
  headers: Dispatcher.ResponseData['headers'],
  start: number,
  exactSize: number | null,
): number | null {
  const length = Number(firstOf(headers['content-length']) ?? Number.NaN);
  return Number.isSafeInteger(length) ? start + length : exactSize;
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
  const Fault = isDiskFull(error) ? NoSpace : StepFailure;
  return new Fault(`Download failed: the package cannot be stored: ${messageOf(error)}`);
}
