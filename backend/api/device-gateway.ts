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

/** Nothing here is for a browser; should one come, it finds nothing to guess, to keep or to frame. */
const SECURITY_HEADERS = [
  ['X-Content-Type-Options', 'nosniff'],
  ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
] as const;

/** 4,000 a second, which leaves most of the time for what was taken on. */
const REJECTION_RATE = { perTurn: 40, turnMs: 10 };

export interface DeviceRoute {
  method: 'GET' | 'POST';
  /** Below `/api/v1/ota`. */
  path: '/check-update' | `/deployments/:id/${string}`;
  kind: 'poll' | 'report';
  readBody: JsonReader | null;
  handle(call: DeviceRequest): Promise<DeviceResponse>;
}

/**
 * What every request of a device goes through, whether Express brought it or the listener ahead of
 * Express: is there room, whose token is it, does the device ask too often, and only then its body
 * and its route.
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

  /** Answers the request; never rejects. */
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
        const answer = await route.handle({ device, query, id, body });
        sendJson(response, answer.status, answer.body);
      } finally {
        this.#loadLimit.release(route.kind);
      }
    });
  }

  /**
   * Answers what no route takes: strangers do not learn which routes there are. Never rejects.
   *
   * @param allowed the methods that the path does have; none: there is no such path
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
    answer: () => Promise<void>,
  ): Promise<void> {
    const since = performance.now();
    assignRequestId(request, response);
    for (const [name, value] of SECURITY_HEADERS) response.setHeader(name, value);
    try {
      await answer();
    } catch (error) {
      if (error instanceof DomainError && error.code === 'overloaded')
        await this.#rejections.turn();
      sendProblem(error, { request, response, logger: this.#logger, route });
    }
    recordRequest({ area: 'device', route, since }, request, response, {
      telemetry: this.#telemetry,
      logger: this.#logger,
    });
  }

  /** The device that asks. Throws `unauthenticated`, `forbidden` and `too_many_requests`. */
  async #identify(
    request: IncomingMessage,
    query: Record<string, unknown>,
  ): Promise<DeviceIdentity> {
    const identity = await this.#auth.device(request);
    if (!identity) {
      throw new DomainError('unauthenticated', 'Send the bearer token the device was given.');
    }
    const claimed = query['device_id'];
    if (claimed !== undefined && claimed !== identity.deviceId) {
      throw new DomainError('forbidden', 'device_id is not the device this token belongs to.');
    }
    this.#rateLimit.consume(identity.deviceId);
    return identity;
  }
}

/** As it was sent: Express takes the prefix of its mounts off `url`. */
function pathOf(request: IncomingMessage & { originalUrl?: string }): string {
  return (request.originalUrl ?? request.url ?? '').split('?')[0] ?? '';
}

function queryOf(request: IncomingMessage): Record<string, unknown> {
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  return mark < 0 ? {} : parse(url.slice(mark + 1));
}
