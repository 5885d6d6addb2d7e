/** One connection pool to the server (and to package hosts): time limits, extra CA, proxy. */
import { readFile } from 'node:fs/promises';
import { setDefaultAutoSelectFamilyAttemptTimeout } from 'node:net';
import { rootCertificates } from 'node:tls';
import { Agent, ProxyAgent, type Dispatcher, request } from 'undici';
import type { AgentConfig } from '../config/agent-config.ts';
import { isLoopback } from '../../../backend/contract/loopback.ts';
import { parseRetryAfter } from '../../kernel/retry.ts';
import { withTimeLimit } from '../../kernel/waiting.ts';

/** Two lost packets (sent again after 1 and 3 seconds) and a round trip. */
const MAX_ATTEMPT_MS = 5_000;
const MIN_ATTEMPT_MS = 250;
/** No answer of the server is longer. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** No answer: the server is down, too slow, or its certificate is not accepted. */
export class ServerUnreachable extends Error {
  override readonly name = 'ServerUnreachable';
}

export interface HttpAnswer {
  status: number;
  /** Of the content, in lower case, without parameters; `null` when there is none. */
  mediaType: string | null;
  /** The parsed JSON body; `undefined` when it is something else. */
  body: unknown;
  /** Milliseconds. */
  retryAfter: number | null;
  /** Target of a redirect, without its query, which may be a secret; `null`: not a redirect. */
  location: string | null;
}

export interface HttpClient {
  /** The pool for `url`: through the proxy unless the configuration exempts the host. */
  dispatcherFor(url: URL): Dispatcher;
  /** @throws {ServerUnreachable} */
  json(call: {
    method: 'GET' | 'POST';
    url: URL;
    token?: string;
    body?: unknown;
    signal?: AbortSignal;
  }): Promise<HttpAnswer>;
  close(): Promise<void>;
}

/**
 * How long one address of a host may take to accept a connection before the next is tried. Node's own
 * quarter of a second is shorter than one round trip over a satellite or 2G; much longer would make every
 * call slow where IPv6 leads nowhere. Applies to the whole process, health checks included.
 * @param connectTimeout milliseconds for all addresses together
 */
export function attemptTimeout(connectTimeout: number): number {
  return Math.round(Math.min(MAX_ATTEMPT_MS, Math.max(MIN_ATTEMPT_MS, connectTimeout / 4)));
}

export async function createHttpClient(config: AgentConfig): Promise<HttpClient> {
  const { ca_file: caFile, proxy_url: proxyUrl, no_proxy: noProxy } = config.network;
  const ca = caFile ? [...rootCertificates, await readFile(caFile, 'utf8')] : null;
  const timeout = config.download.connect_timeout_seconds * 1000;
  const tls = { ...(ca ? { ca } : {}), timeout };
  setDefaultAutoSelectFamilyAttemptTimeout(attemptTimeout(timeout));
  const direct = new Agent({ connect: tls });
  const proxied = proxyUrl
    ? new ProxyAgent({ uri: proxyUrl, requestTls: tls, proxyTls: tls, connectTimeout: timeout })
    : null;
  const limit = config.server.timeout_seconds * 1000;

  const client: HttpClient = {
    dispatcherFor(url) {
      const exempt = isLoopback(url) || noProxy.some((host) => matchesHost(url.hostname, host));
      return proxied && !exempt ? proxied : direct;
    },

    async json({ method, url, token, body, signal }) {
      try {
        return await withTimeLimit(limit, signal, async (inTime) => {
          const answer = await request(url, {
            method,
            dispatcher: client.dispatcherFor(url),
            headers: {
              accept: 'application/json',
              'user-agent': 'ota-agent',
              ...(body === undefined ? {} : { 'content-type': 'application/json' }),
              ...(token ? { authorization: `Bearer ${token}` } : {}),
            },
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
            signal: inTime,
            headersTimeout: limit,
            bodyTimeout: limit,
          });
          return {
            status: answer.statusCode,
            mediaType: mediaTypeOf(firstOf(answer.headers['content-type'])),
            body: parseJson(await readLimited(answer.body)),
            retryAfter: parseRetryAfter(firstOf(answer.headers['retry-after']), Date.now()),
            location: placeWithoutQuery(firstOf(answer.headers.location), url),
          };
        });
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        throw new ServerUnreachable(`${url.origin} gave no answer`, { cause: error });
      }
    },

    async close() {
      await Promise.all([direct.destroy(), proxied?.destroy()]);
    },
  };
  return client;
}

export function placeWithoutQuery(location: string | undefined, base: URL): string | null {
  if (location === undefined || !URL.canParse(location, base.href)) return null;
  const { protocol, host, pathname } = new URL(location, base);
  return `${protocol}//${host}${pathname}`;
}

export function firstOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function mediaTypeOf(header: string | undefined): string | null {
  return header?.split(';')[0]?.trim().toLowerCase() || null;
}

function matchesHost(host: string, rule: string): boolean {
  const name = rule.replace(/^\*?\./, '').toLowerCase();
  return host.toLowerCase() === name || host.toLowerCase().endsWith(`.${name}`);
}

async function readLimited(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES)
      throw new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
