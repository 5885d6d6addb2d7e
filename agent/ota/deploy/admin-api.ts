/** The calls of the admin API that a pipeline needs; what failed is told apart by what can be done. */
import { createParser } from 'eventsource-parser';
import { Agent, type Dispatcher, EnvHttpProxyAgent, request } from 'undici';
import { UsageError, messageOf } from '../../errors.ts';
import { firstOf } from '../../network/http-client.ts';
import { serverUrlFault } from '../../network/package-url.ts';
import { parseRetryAfter } from '../../timing.ts';
import type {
  CreateDeploymentRequest,
  CreatedDeployment,
  DeploymentDetail,
  TargetPage,
} from '../../../backend/contract/admin-api.ts';
import { isLoopback } from '../../../backend/contract/loopback.ts';
import type { Problem } from '../../../backend/contract/problem.ts';
import { EXIT } from '../exit-codes.ts';

const PATH = '/api/v1/admin/ota';
const ANSWER_LIMIT_MS = 60_000;
/** The server says "still here" every 15 s. */
const STREAM_SILENCE_MS = 45_000;
/** The connection was never made, so nothing can have happened on the server. */
const NEVER_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** No answer, or one that asks to come again. */
export class ServerAway extends Error {
  override readonly name = 'ServerAway';
  /**
   * @param maybeDone the request may have been carried out all the same
   * @param retryAfter milliseconds the server asked for
   */
  constructor(
    message: string,
    readonly maybeDone: boolean,
    readonly retryAfter: number | null,
  ) {
    super(message);
  }
}

/** The server understood and said no. */
export class Refused extends Error {
  override readonly name = 'Refused';
  constructor(
    readonly status: number,
    readonly problem: Partial<Problem>,
  ) {
    super(problem.detail ?? `the server answered ${status}`);
  }
}

export interface AdminApi {
  create(body: CreateDeploymentRequest): Promise<CreatedDeployment>;
  detail(id: string): Promise<DeploymentDetail>;
  start(id: string): Promise<DeploymentDetail>;
  expand(id: string, percentage: number): Promise<DeploymentDetail>;
  /** The first of the targets in this state. */
  targets(id: string, status: 'failed' | 'rolled_back', limit: number): Promise<TargetPage>;
  /** One item whenever something of the deployment may have changed, until the stream breaks. */
  changes(id: string, signal: AbortSignal): AsyncIterable<void>;
  close(): Promise<void>;
}

/**
 * @param server address of Ops-Center; `https`, or `http` to this machine
 * @throws {UsageError} for another address
 */
export function connect(server: string, token: string): AdminApi {
  const fault = serverUrlFault(server);
  if (fault) throw new UsageError(`--server ${fault}.`, EXIT.usage);
  const base = server.replace(/\/+$/, '') + PATH;
  const dispatcher: Dispatcher = isLoopback(new URL(server))
    ? new Agent()
    : new EnvHttpProxyAgent();
  const headers = { authorization: `Bearer ${token}`, 'user-agent': 'ota' };

  async function call<T>(method: 'GET' | 'POST', path: string, body?: unknown): Promise<T> {
    try {
      const answer = await request(base + path, {
        method,
        dispatcher,
        headers: {
          ...headers,
          accept: 'application/json',
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        headersTimeout: ANSWER_LIMIT_MS,
        bodyTimeout: ANSWER_LIMIT_MS,
      });
      const text = await answer.body.text();
      if (answer.statusCode >= 200 && answer.statusCode < 300) return JSON.parse(text) as T;
      const retryAfter = parseRetryAfter(firstOf(answer.headers['retry-after']), Date.now());
      throw failure(answer.statusCode, text, retryAfter);
    } catch (error) {
      if (error instanceof Refused || error instanceof ServerAway) throw error;
      const code = (error as { code?: string }).code ?? '';
      const origin = new URL(server).origin;
      throw new ServerAway(
        `${origin} gave no answer: ${messageOf(error)}`,
        method !== 'GET' && !NEVER_CONNECTED.has(code),
        null,
      );
    }
  }

  const at = (id: string): string => `/deployments/${encodeURIComponent(id)}`;
  return {
    create: (body) => call('POST', '/deployments', body),
    detail: (id) => call('GET', at(id)),
    start: (id) => call('POST', `${at(id)}/start`),
    expand: (id, percentage) => call('POST', `${at(id)}/expand`, { percentage }),
    targets: (id, status, limit) =>
      call('GET', `${at(id)}/devices?status=${status}&limit=${limit}`),
    async *changes(id, signal) {
      const answer = await request(`${base}${at(id)}/stream`, {
        dispatcher,
        headers: { ...headers, accept: 'text/event-stream' },
        signal,
        headersTimeout: ANSWER_LIMIT_MS,
        bodyTimeout: STREAM_SILENCE_MS,
      });
      if (answer.statusCode !== 200) {
        await answer.body.dump();
        return;
      }
      let heard = false;
      const parser = createParser({ onEvent: () => (heard = true) });
      const decoder = new TextDecoder();
      for await (const chunk of answer.body) {
        parser.feed(decoder.decode(chunk as Buffer, { stream: true }));
        if (heard) yield;
        heard = false;
      }
    },
    close: () => dispatcher.destroy(),
  };
}

function failure(status: number, text: string, retryAfter: number | null): Error {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = null;
  }
  const problem = (typeof body === 'object' && body !== null ? body : {}) as Partial<Problem>;
  if (status === 429 || status >= 500) {
    // 429 and 503 promise that nothing was changed; the others promise nothing.
    const maybeDone = status !== 429 && status !== 503;
    const why = problem.detail ? `: ${problem.detail}` : '';
    return new ServerAway(`the server answered ${status}${why}`, maybeDone, retryAfter);
  }
  return new Refused(status, problem);
}
