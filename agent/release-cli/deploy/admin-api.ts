/** The calls of the admin API that a pipeline needs, and their errors: retry, or refused. */
import { createParser } from 'eventsource-parser';
import createClient from 'openapi-fetch';
import { Agent, EnvHttpProxyAgent, fetch, Request, request } from 'undici';
import { UsageError, messageOf } from '../../kernel/errors.ts';
import { serverUrlFault } from '../../package/package-url.ts';
import { parseRetryAfter } from '../../kernel/retry.ts';
import type {
  CreateDeploymentRequest,
  CreatedDeployment,
  DeploymentDetail,
  DeploymentImpact,
  DeploymentPreview,
  DeviceExplanation,
  DevicePage,
  TargetPage,
} from '../../../backend/contract/admin-api.ts';
import { isLoopback } from '../../../backend/contract/loopback.ts';
import type { paths } from '../../../backend/contract/generated/openapi.ts';
import type { Problem } from '../../../backend/contract/problem.ts';
import { EXIT } from '../exit-codes.ts';

const PATH = '/api/v1/admin/ota';
const ANSWER_LIMIT_MS = 60_000;
/** The server sends a keep-alive every 15 s. */
const STREAM_SILENCE_MS = 45_000;
/** There was no connection, so the request cannot have had an effect on the server. */
const NEVER_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** No answer, or one that asks to retry. */
export class ServerUnavailable extends Error {
  override readonly name = 'ServerUnavailable';
  /**
   * @param maybeDone the request may have been carried out anyway
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

/** The server refused the request. */
export class Refused extends Error {
  override readonly name = 'Refused';
  constructor(
    readonly status: number,
    readonly problem: Partial<Problem>,
  ) {
    super(problem.detail ?? `the server answered ${status}`);
  }
}

/** What a call of the client resolves with. */
interface Answered<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

export interface AdminApi {
  /** @param key idempotency key, where the server {@link supportsKeys} */
  create(body: CreateDeploymentRequest, key: string): Promise<CreatedDeployment>;
  /** Whether the server creates only once, however often it gets a request with the same key. */
  supportsKeys(): Promise<boolean>;
  detail(id: string): Promise<DeploymentDetail>;
  /** `null`: a server of an earlier release, without this route. */
  impact(id: string): Promise<DeploymentImpact | null>;
  /** `null`: the server refuses it. */
  preview(body: CreateDeploymentRequest): Promise<Partial<DeploymentPreview> | null>;
  start(id: string): Promise<DeploymentDetail>;
  expand(id: string, percentage: number): Promise<DeploymentDetail>;
  /** The first of the targets in this state. */
  targets(id: string, status: 'failed' | 'rolled_back', limit: number): Promise<TargetPage>;
  /** The first devices whose name or id matches the text. */
  devices(search: string, limit: number): Promise<DevicePage>;
  /** What the device waits for in the deployment; `undefined`: in the one that it gets next. */
  explanation(deviceId: string, deploymentId: string | undefined): Promise<DeviceExplanation>;
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
  const base = server.replace(/\/+$/, '');
  const limits = { headersTimeout: ANSWER_LIMIT_MS, bodyTimeout: ANSWER_LIMIT_MS };
  const dispatcher = isLoopback(new URL(server))
    ? new Agent(limits)
    : new EnvHttpProxyAgent(limits);
  const headers = { authorization: `Bearer ${token}`, 'user-agent': 'ota' };
  const client = createClient<paths>({
    baseUrl: base,
    headers: { ...headers, accept: 'application/json' },
    // A redirect is reported to the operator; the token is not sent elsewhere.
    redirect: 'manual',
    Request: Request as unknown as typeof globalThis.Request,
    fetch: async (input) => (await fetch(input as unknown as Request, { dispatcher })) as never,
  });

  /** @param changes whether the request has an effect on the server */
  async function answerOf<T>(call: Promise<Answered<T>>, changes: boolean): Promise<T> {
    let answered: Answered<T>;
    try {
      answered = await call;
    } catch (error) {
      const { code } = causeOf(error) as { code?: string };
      throw new ServerUnavailable(
        `${new URL(server).origin} gave no answer: ${messageOf(causeOf(error))}`,
        changes && !NEVER_CONNECTED.has(code ?? ''),
        null,
      );
    }
    const { data, error, response } = answered;
    if (response.ok) return data as T;
    const retryAfter = parseRetryAfter(response.headers.get('retry-after'), Date.now());
    throw failure(response.status, error, retryAfter);
  }

  const of = (id: string) => ({ params: { path: { id } } });
  return {
    create: (body, key) =>
      answerOf(
        client.POST(`${PATH}/deployments`, {
          body,
          params: { header: { 'Idempotency-Key': key } },
        }),
        true,
      ),
    async supportsKeys() {
      const document = await answerOf(client.GET(`${PATH}/openapi.json`), false);
      return JSON.stringify(document).includes('"Idempotency-Key"');
    },
    detail: (id) => answerOf(client.GET(`${PATH}/deployments/{id}`, of(id)), false),
    impact: (id) =>
      answerOf(client.GET(`${PATH}/deployments/{id}/impact`, of(id)), false).catch(
        (error: unknown) => {
          if (error instanceof Refused && error.status === 404) return null;
          throw error;
        },
      ),
    preview: (body) =>
      answerOf(client.POST(`${PATH}/deployments/preview`, { body }), false).catch(
        (error: unknown) => {
          if (error instanceof Refused) return null;
          throw error;
        },
      ),
    start: (id) =>
      answerOf(client.POST(`${PATH}/deployments/{id}/start`, { ...of(id), body: {} }), true),
    expand: (id, percentage) =>
      answerOf(
        client.POST(`${PATH}/deployments/{id}/expand`, { ...of(id), body: { percentage } }),
        true,
      ),
    targets: (id, status, limit) =>
      answerOf(
        client.GET(`${PATH}/deployments/{id}/devices`, {
          params: { path: { id }, query: { status, limit } },
        }),
        false,
      ),
    devices: (search, limit) =>
      answerOf(client.GET(`${PATH}/devices`, { params: { query: { search, limit } } }), false),
    explanation: (deviceId, deploymentId) =>
      answerOf(
        client.GET(`${PATH}/devices/{device_id}/explanation`, {
          params: {
            path: { device_id: deviceId },
            ...(deploymentId !== undefined && { query: { deployment_id: deploymentId } }),
          },
        }),
        false,
      ),
    async *changes(id, signal) {
      const answer = await request(`${base}${PATH}/deployments/${encodeURIComponent(id)}/stream`, {
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

/** The cause behind "fetch failed". */
function causeOf(error: unknown): unknown {
  const { cause } = error as { cause?: unknown };
  return cause ?? error;
}

function failure(status: number, body: unknown, retryAfter: number | null): Error {
  const problem = (typeof body === 'object' && body !== null ? body : {}) as Partial<Problem>;
  if (status === 429 || status >= 500) {
    // 429 and 503 guarantee that nothing was changed; the others do not.
    const maybeDone = status !== 429 && status !== 503;
    const why = problem.detail ? `: ${problem.detail}` : '';
    return new ServerUnavailable(`the server answered ${status}${why}`, maybeDone, retryAfter);
  }
  return new Refused(status, problem);
}
