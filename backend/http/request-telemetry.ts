import type { RequestHandler } from 'express';
import type { AnsweredRequest, Telemetry } from '../observability/telemetry.ports.ts';

/** Tells of every request once its answer is out or its client is gone; stands before everything else. */
export function requestTelemetry(
  area: AnsweredRequest['area'],
  telemetry: Telemetry,
): RequestHandler {
  return (request, response, next) => {
    const since = performance.now();
    response.once('close', () => {
      telemetry.answered({
        area,
        method: request.method,
        route: (request.route as { path: string } | undefined)?.path ?? 'none',
        status: response.statusCode,
        seconds: (performance.now() - since) / 1_000,
      });
    });
    next();
  };
}
