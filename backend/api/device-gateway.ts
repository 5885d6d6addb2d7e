import type { IncomingMessage, ServerResponse } from 'node:http';
import { parse } from 'node:querystring';
import type { Logger } from 'pino';
import type { DeviceIdentity, HostContext } from '../host-contract.ts';
import { DomainError, notFound } from '../kernel/errors.ts';
import type { Telemetry } from '../observability/telemetry.ports.ts';
import type { DeviceRateLimit } from './device-rate-limit.ts';
import { sendJson } from '../http/json-response.ts';
import type { JsonReader } from '../http/json-body.ts';
import type { LoadLimit } from './load-limit.ts';
import { sendProblem } from '../http/problem.ts';
import { RejectionThrottle } from './rejection-throttle.ts';
import { assignRequestId } from '../http/request-id.ts';
import { recordRequest } from '../http/request-telemetry.ts';
import type { DeviceResponse, DeviceRequest } from '../devices/device-request.ts';
import { methodNotAllowed } from '../http/route-table.ts';

/** The device API is not for browsers. These headers keep a browser from sniffing or framing a response. */
const SECURITY_HEADERS = [
  ['X-Content-Type-Options', 'nosniff'],
  ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
] as const;

/** 4,000 rejections a second, which leaves most of the CPU time for admitted requests. */
const REJECTION_RATE = { perInterval: 40, intervalMs: 10 };

export interface DeviceRoute {
  method: 'GET' | 'POST';
  /** Below `/api/v1/ota`. */
  path: '/check-update' | `/deployments/:id/${string}`;
  kind: 'poll' | 'report';
  readBody: JsonReader | null;
  handle(request: DeviceRequest): Promise<DeviceResponse>;
}

/**
 * Handles every device request, whether it arrives through Express or the pre-router: checks the load limit, the
 * token and the rate limit, then reads the body and calls the route (docs/contract.md, Device API).
 */
export class DeviceGateway {
  readonly #auth: HostContext['auth'];
  readonly #rateLimit: DeviceRateLimit;
  readonly #loadLimit: LoadLimit;
  readonly #rejections = new RejectionThrottle(REJECTION_RATE);
  readonly #telemetry: Telemetry;
  readonly #logger: Logger;

  constructor(parts: {
    auth: HostContext['auth'];
    rateLimit: DeviceRateLimit;
    loadLimit: LoadLimit;
    telemetry: Telemetry;
    logger: Logger;
  }) {
    this.#auth = parts.auth;
    this.#rateLimit = parts.rateLimit;
    this.#loadLimit = parts.loadLimit;
    this.#telemetry = parts.telemetry;
    this.#logger = parts.logger;
  }

  /** Sends the response; never rejects. */
  async serve(
    route: DeviceRoute,
    id: unknown,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    await this.#respond(route.path, request, response, async () => {
      this.#loadLimit.acquire(route.kind);
      try {
        const query = queryOf(request);
        const device = await this.#identify(request, query);
        const body = route.readBody === null ? null : await route.readBody(request, response);
        const userAgent = request.headers['user-agent'];
        const result = await route.handle({ device, query, id, body, userAgent });
        sendJson(response, result.status, result.body);
      } finally {
        this.#loadLimit.release(route.kind);
      }
    });
  }

  /**
   * Responds 405 or 404 to a request that matches no route, and 401 to callers without a valid token, so that they
   * cannot find out which routes exist. Never rejects.
   *
   * @param allowed the methods of the path; none: the path does not exist
   */
  async reject(
    request: IncomingMessage,
    response: ServerResponse,
    allowed: readonly string[] = [],
  ): Promise<void> {
    await this.#respond('none', request, response, async () => {
      await this.#identify(request, queryOf(request));
      throw allowed.length > 0
        ? methodNotAllowed(request.method ?? '', allowed)
        : notFound(`${request.method} ${pathOf(request)}`);
    });
  }

  async #respond(
    route: string,
    request: IncomingMessage,
    response: ServerResponse,
    respond: () => Promise<void>,
  ): Promise<void> {
    const since = performance.now();
    assignRequestId(request, response);
    for (const [name, value] of SECURITY_HEADERS) response.setHeader(name, value);
    try {
      await respond();
    } catch (error) {
      if (error instanceof DomainError && error.code === 'overloaded')
        await this.#rejections.wait();
      sendProblem(error, { request, response, logger: this.#logger, route });
    }
    recordRequest({ area: 'device', route, since }, request, response, {
      telemetry: this.#telemetry,
      logger: this.#logger,
    });
  }

  /** The device that the token belongs to. Throws `unauthenticated`, `forbidden` and `too_many_requests`. */
  async #identify(
    request: IncomingMessage,
    query: Record<string, unknown>,
  ): Promise<DeviceIdentity> {
    const identity = await this.#auth.device(request);
    if (!identity) {
      throw new DomainError('unauthenticated', 'Send the bearer token of the device.');
    }
    const claimed = query['device_id'];
    if (claimed !== undefined && claimed !== identity.deviceId) {
      throw new DomainError('forbidden', 'The token belongs to another device than device_id.');
    }
    this.#rateLimit.consume(identity.deviceId);
    return identity;
  }
}

/** The path as sent: Express removes the mount prefix from `url`. */
function pathOf(request: IncomingMessage & { originalUrl?: string }): string {
  return (request.originalUrl ?? request.url ?? '').split('?')[0] ?? '';
}

function queryOf(request: IncomingMessage): Record<string, unknown> {
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  return mark < 0 ? {} : parse(url.slice(mark + 1));
}
