import type { Request, RequestHandler, Response } from 'express';
import type { Logger } from 'pino';
import type { AnsweredRequest, Telemetry } from '../observability/telemetry.ports.ts';
import { requestIdOf } from './request-id.ts';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const DEPLOYMENT = /\/deployments\/([\da-f-]{36})(?:[/?]|$)/i;

/**
 * Tells of every request once its answer is out or its client is gone: a number for the metrics, and a
 * line for the log. What admins change is logged as `info`; the rest, of which there may be thousands
 * a second, as `debug`. Stands behind `requestIds` and before everything else.
 */
export function requestTelemetry(
  area: AnsweredRequest['area'],
  telemetry: Telemetry,
  logger: Logger,
): RequestHandler {
  return (request, response, next) => {
    const since = performance.now();
    response.once('close', () => {
      const answered: AnsweredRequest = {
        area,
        method: request.method,
        route: routeOf(request),
        status: response.statusCode,
        seconds: (performance.now() - since) / 1_000,
      };
      telemetry.answered(answered);
      const level = area === 'admin' && !SAFE_METHODS.has(request.method) ? 'info' : 'debug';
      if (!logger.isLevelEnabled(level)) return;
      logger[level]({ ...answered, ...traceOf(request, response) }, 'request answered');
    });
    next();
  };
}

/**
 * What every log line about a request says of it. Neither headers nor the address as it was sent:
 * clients put tokens into both.
 */
export function traceOf(request: Request, response: Response): Record<string, unknown> {
  const { deploymentId = DEPLOYMENT.exec(request.originalUrl)?.[1]?.toLowerCase() } =
    response.locals as { deploymentId?: string };
  return {
    request_id: requestIdOf(response),
    ...(deploymentId !== undefined && { deployment_id: deploymentId }),
  };
}

/** As it was mounted, e.g. `/deployments/:id`; `none` before a route took the request. */
export function routeOf(request: Request): string {
  return (request.route as { path: string } | undefined)?.path ?? 'none';
}
