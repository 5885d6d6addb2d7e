/** Requests to the server (and to package hosts): time limits, extra CA, proxy. */
import { readFile } from 'node:fs/promises';
import type { Agent } from 'node:http';
import { setDefaultAutoSelectFamilyAttemptTimeout } from 'node:net';
import { createSecureContext, rootCertificates } from 'node:tls';
import type { AgentConfig } from '../config/agent-config.ts';
import { isLoopback } from '../../../backend/contract/loopback.ts';
import { parseRetryAfter } from '../../kernel/retry.ts';
import { withTimeLimit } from '../../kernel/waiting.ts';
import { HttpConnections, HttpsConnections, ProxiedHttpsConnections } from './connections.ts';
import { sendRequest } from './send-request.ts';

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
  /** The connections for `url`: through the proxy unless the configuration exempts the host. */
  connectionsTo(url: URL): Agent;
  /** @throws {ServerUnreachable} */
  json(call: {
    method: 'GET' | 'POST';
    url: URL;
    token?: string;
    body?: unknown;
    signal?: AbortSignal;
  }): Promise<HttpAnswer>;
  /** Requests in progress fail. */
  close(): void;
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
  const connectMs = config.download.connect_timeout_seconds * 1000;
  setDefaultAutoSelectFamilyAttemptTimeout(attemptTimeout(connectMs));
  const rules = { secureContext: ca ? createSecureContext({ ca }) : undefined, connectMs };
  const plain = new HttpConnections(rules);
  const direct = new HttpsConnections(rules);
  const proxied = proxyUrl ? new ProxiedHttpsConnections(new URL(proxyUrl), rules) : null;
  const limit = config.server.timeout_seconds * 1000;

  const client: HttpClient = {
    connectionsTo(url) {
      if (url.protocol === 'http:') return plain;
      const exempt = isLoopback(url) || noProxy.some((host) => matchesHost(url.hostname, host));
      return proxied && !exempt ? proxied : direct;
    },

    async json({ method, url, token, body, signal }) {
      try {
        return await withTimeLimit(limit, signal, async (inTime) => {
          const answer = await sendRequest({
            method,
            url,
            connections: client.connectionsTo(url),
            headers: {
              accept: 'application/json',
              'user-agent': 'ota-agent',
              ...(body === undefined ? {} : { 'content-type': 'application/json' }),
              ...(token ? { authorization: `Bearer ${token}` } : {}),
            },
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
            silenceMs: limit,
            signal: inTime,
          });
          return {
            status: answer.statusCode ?? 0,
            mediaType: mediaTypeOf(firstOf(answer.headers['content-type'])),
            body: parseJson(await readLimited(answer)),
            retryAfter: parseRetryAfter(firstOf(answer.headers['retry-after']), Date.now()),
            location: placeWithoutQuery(firstOf(answer.headers.location), url),
          };
        });
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        throw new ServerUnreachable(`${url.origin} gave no answer`, { cause: error });
      }
    },

    close() {
      for (const one of [plain, direct, proxied]) one?.destroy();
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
