import type { RequestHandler } from 'express';
import { MemoryStore, rateLimit, type AugmentedRequest } from 'express-rate-limit';
import { DomainError } from '../kernel/errors.ts';
import { deviceOf } from './guards.ts';

const WINDOW_SECONDS = 60;

export interface DeviceRateLimit {
  /** Answers 429 with `Retry-After` to a device that asks too often; stands behind `requireDevice`. */
  handler: RequestHandler;
  close(): void;
}

/**
 * So many requests a minute for each device and server process. A device is who its token says it
 * is; neither addresses nor forwarded headers count.
 */
export function createDeviceRateLimit(requestsPerMinute: number): DeviceRateLimit {
  const store = new MemoryStore();
  const handler = rateLimit({
    windowMs: WINDOW_SECONDS * 1_000,
    limit: requestsPerMinute,
    store,
    keyGenerator: (request) => deviceOf(request).deviceId,
    handler: (request, _response, next) => {
      const { rateLimit: state } = request as AugmentedRequest;
      next(tooManyRequests(requestsPerMinute, state?.resetTime));
    },
    standardHeaders: false,
    legacyHeaders: false,
  });
  return { handler, close: () => store.shutdown() };
}

function tooManyRequests(limit: number, resetTime: Date | undefined): DomainError {
  const waitMs = resetTime ? resetTime.getTime() - Date.now() : WINDOW_SECONDS * 1_000;
  return new DomainError(
    'too_many_requests',
    `The device made more than ${limit} requests within a minute. Nothing was changed; ` +
      'send this one again after the time that Retry-After says.',
    {},
    { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1_000)) },
  );
}
