/** Requests a package: redirects, which server gets the token, certificates. */
import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import type { AgentConfig } from '../config/agent-config.ts';
import { errorCode } from '../../files/durable-file.ts';
import { StepFailure, messageOf } from '../../kernel/errors.ts';
import { type HttpClient, firstOf, placeWithoutQuery } from './http-client.ts';
import { packageUrlFault } from '../../package/package-url.ts';
import { discardBody, sendRequest } from './send-request.ts';

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface PackageRequest {
  url: string;
  limits: AgentConfig['download'];
  /** The token is sent to this origin only. */
  server: { origin: string; token: string };
  http: HttpClient;
  logger: Logger;
  signal: AbortSignal;
}

/**
 * The connection or the server failed; another try may succeed. A condition that passes without anybody's
 * doing (no network, no name resolution, a clock that is behind, a captive portal) never fails an attempt.
 */
export class Interruption extends Error {
  override readonly name = 'Interruption';
  readonly retryAfter: number | null;
  readonly passes: boolean;
  constructor(
    message: string,
    { retryAfter = null, passes = false }: { retryAfter?: number | null; passes?: boolean } = {},
  ) {
    super(message);
    this.retryAfter = retryAfter;
    this.passes = passes;
  }
}

/**
 * The first answer that is not a redirect; its body is still to be read. The token is sent to its own origin
 * only, on every hop.
 * @throws {StepFailure} refused: another try would not help
 * @throws {Interruption}
 */
export async function requestPackage(
  job: PackageRequest,
  headers: Record<string, string>,
): Promise<IncomingMessage> {
  let url = new URL(job.url);
  for (let hop = 0; ; hop++) {
    const own = url.origin === job.server.origin;
    const answer = await send(job, url, {
      ...headers,
      'accept-encoding': 'identity',
      'user-agent': 'ota-agent',
      ...(own ? { authorization: `Bearer ${job.server.token}` } : {}),
    });
    if (!REDIRECTS.has(answer.statusCode ?? 0)) return answer;
    discardBody(answer);
    if (hop === MAX_REDIRECTS) {
      throw new StepFailure(`Download refused: more than ${MAX_REDIRECTS} redirects`);
    }
    const location = firstOf(answer.headers.location);
    if (!location) throw new StepFailure('Download failed: a redirect without an address');
    const fault = packageUrlFault(location, job.limits.allow_insecure_loopback, url);
    if (fault) throw new StepFailure(`Download refused: ${fault}`);
    job.logger.info(`redirected to ${placeWithoutQuery(location, url)}`);
    url = new URL(location, url);
  }
}

async function send(
  job: PackageRequest,
  url: URL,
  headers: Record<string, string>,
): Promise<IncomingMessage> {
  try {
    return await sendRequest({
      method: 'GET',
      url,
      connections: job.http.connectionsTo(url),
      headers,
      silenceMs: job.limits.stall_timeout_seconds * 1000,
      signal: job.signal,
    });
  } catch (error) {
    if (isCertificateFault(error)) {
      throw new StepFailure(
        `Download refused: the certificate of ${url.host} is not accepted: ${messageOf(error)}`,
      );
    }
    throw new Interruption(`${url.host}: ${messageOf(error)}`, { passes: neverConnected(error) });
  }
}

const NOT_CONNECTED = new Set([
  ...['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'ENODATA', 'ECONNREFUSED', 'ETIMEDOUT'],
  ...['ENETUNREACH', 'ENETDOWN', 'EHOSTUNREACH', 'EHOSTDOWN', 'EADDRNOTAVAIL'],
  'CERT_NOT_YET_VALID',
]);

/** The package host was never reached: the fault is in the network, name resolution, the proxy or the clock. */
function neverConnected(error: unknown): boolean {
  return NOT_CONNECTED.has(errorCode(error) ?? '');
}

/** A certificate that is not valid yet does not count: the device’s clock may be behind. */
function isCertificateFault(error: unknown): boolean {
  const code = errorCode(error) ?? '';
  return (
    code !== 'CERT_NOT_YET_VALID' &&
    /^(CERT_|ERR_TLS_CERT|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_(GET|VERIFY))/.test(code)
  );
}
