import type { IncomingMessage, ServerResponse } from 'node:http';
import { parse } from 'node:querystring';
import type { Logger } from 'pino';
import type { DeviceIdentity, HostContext } from '../host-contract.ts';
import { DomainError } from '../kernel/errors.ts';
import type { DeviceRateLimit } from './device-rate-limit.ts';
import { sendJson } from './json-answer.ts';
import type { ReadJson } from './json-body.ts';
import type { LoadLimit } from './load-limit.ts';
import { answerProblem } from './problem.ts';

/** A request of the device API with everything about it that was checked before its route is asked. */
export interface DeviceCall {
  device: DeviceIdentity;
  query: unknown;
  /** What stands for `:id` in the path. */
  id: unknown;
  body: unknown;
}

export interface DeviceAnswer {
  status: number;
  body: object;
}

export interface DeviceRoute {
  method: 'GET' | 'POST';
  /** Below `/api/v1/ota`. */
  path: '/check-update' | `/deployments/:id/${string}`;
  kind: 'poll' | 'report';
  readBody: ReadJson | null;
  answer(call: DeviceCall): Promise<DeviceAnswer>;
}

/**
 * What every request of a device goes through, whether Express brought it or the listener ahead of
 * Express: is there room, whose token is it, does the device ask too often, and only then its body
 * and its route.
 */
export class DeviceDoor {
  readonly #auth: HostContext['auth'];
  readonly #rateLimit: DeviceRateLimit;
  readonly #loadLimit: LoadLimit;
  readonly #logger: Logger;

  constructor(parts: {
    auth: HostContext['auth'];
    rateLimit: DeviceRateLimit;
    loadLimit: LoadLimit;
    logger: Logger;
  }) {
    this.#auth = parts.auth;
    this.#rateLimit = parts.rateLimit;
    this.#loadLimit = parts.loadLimit;
    this.#logger = parts.logger;
  }

  /** Answers the request; never rejects. */
  async serve(
    route: DeviceRoute,
    id: unknown,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    try {
      this.#loadLimit.enter(route.kind);
      try {
        const query = queryOf(request);
        const device = await this.identify(request, query);
        const body = route.readBody === null ? null : await route.readBody(request, response);
        const answer = await route.answer({ device, query, id, body });
        sendJson(response, answer.status, answer.body);
      } finally {
        this.#loadLimit.leave();
      }
    } catch (error) {
      answerProblem(error, request, response, this.#logger);
    }
  }

  /** The device that asks. Throws `unauthenticated`, `forbidden` and `too_many_requests`. */
  async identify(request: IncomingMessage, query = queryOf(request)): Promise<DeviceIdentity> {
    const identity = await this.#auth.device(request);
    if (!identity) {
      throw new DomainError('unauthenticated', 'Send the bearer token the device was given.');
    }
    const claimed = query['device_id'];
    if (claimed !== undefined && claimed !== identity.deviceId) {
      throw new DomainError('forbidden', 'device_id is not the device this token belongs to.');
    }
    this.#rateLimit.take(identity.deviceId);
    return identity;
  }
}

function queryOf(request: IncomingMessage): Record<string, unknown> {
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  return mark < 0 ? {} : parse(url.slice(mark + 1));
}
