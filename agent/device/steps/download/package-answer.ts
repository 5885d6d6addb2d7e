/** Answers that are not the package: refusals, pages of portals, broken connections. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { StepFailure, messageOf } from '../../../kernel/errors.ts';
import { parseRetryAfter } from '../../../kernel/retry.ts';
import { firstOf } from '../../network/http-client.ts';
import { Interruption } from '../../network/package-request.ts';
import { plainText } from '../../process/limited-output.ts';
import type { DownloadRequest } from './download-request.ts';

/** 401 and 403: an expired URL is signed anew by the next redirect. 511: a captive portal. */
const TRANSIENT = new Set([401, 403, 408, 425, 429, 500, 502, 503, 504, 511]);
/** Object stores send these with 400 as well. */
const TRANSIENT_TEXT = /Expired|RequestTimeout|SlowDown|RequestTimeTooSkewed/;
const MAX_EXPLANATION_BYTES = 2048;

/** The error for an answer without the package. */
export async function answerFault(
  job: DownloadRequest,
  answer: IncomingMessage,
): Promise<StepFailure | Interruption> {
  const { statusCode: status = 0, headers } = answer;
  const text = await explanationOf(answer);
  const what = `the server answered ${status}${text ? `: ${text}` : ''}`;
  const ownServer = job.url.startsWith(`${job.server.origin}/api/`);
  // Ops-Center answers with its own codes; a host that is starting does not.
  const starting = ownServer && !/\b(not_found|gone)\b/.test(text);
  if (!TRANSIENT.has(status) && !TRANSIENT_TEXT.test(text) && !starting) {
    return new StepFailure(`Download failed: ${what}`);
  }
  const retryAfter = parseRetryAfter(firstOf(headers['retry-after']), Date.now());
  return new Interruption(what, { retryAfter, passes: status === 511 });
}

/** The explanation of an object store (`<Code>`, `<Message>`), of Ops-Center (`code`, `detail`), or in plain text. */
async function explanationOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= MAX_EXPLANATION_BYTES) break;
    }
  } catch {
    // Only the status is left.
  }
  const text = plainText(Buffer.concat(chunks).subarray(0, MAX_EXPLANATION_BYTES));
  const pick = (...names: string[]): string | undefined =>
    names
      .map((name) => new RegExp(`<${name}>([^<]*)<|"${name}"\\s*:\\s*"([^"]*)"`).exec(text))
      .map((found) => found?.[1] ?? found?.[2])
      .find((one) => one);
  const parts = [pick('Code', 'code'), pick('Message', 'detail', 'message')].filter(Boolean);
  if (parts.length > 0) return parts.join(': ').slice(0, 300);
  const plain = answer.headers['content-type']?.startsWith('text/plain') ?? false;
  return plain ? text.trim().slice(0, 300) : '';
}

/** Reads the first bytes, to be checked before anything is written. */
export async function startOf(
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

/** Whether the body is an HTML or XML page in place of the package. */
export function isPage(headers: IncomingHttpHeaders, first: Buffer): boolean {
  const gzip = first[0] === 0x1f && first[1] === 0x8b;
  const html = /^text\/html\b/i.test(firstOf(headers['content-type']) ?? '');
  return (
    !gzip && (html || /^\ufeff?\s*<(!doctype|html|\?xml)/i.test(first.toString('utf8', 0, 64)))
  );
}
