import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, RequestHandler } from 'express';
import type { Logger } from 'pino';
import type { CompletedRequest, Telemetry } from '../observability/telemetry.ports.ts';
import { requestIdOf } from './request-id.ts';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const DEPLOYMENT = /\/deployments\/([\da-f-]{36})(?:[/?]|$)/i;

/**
 * Tells of every request once its answer is out or its client is gone. Stands behind `requestIds` and
 * before everything else.
 */
export function requestTelemetry(
  area: CompletedRequest['area'],
  telemetry: Telemetry,
  logger: Logger,
): RequestHandler {
  return (request, response, next) => {
    const since = performance.now();
    response.once('close', () => {
      recordRequest({ area, route: routeOf(request), since }, request, response, {
        telemetry,
        logger,
      });
    });
    next();
  };
}

/**
 * A number for the metrics, and a line for the log. What admins change is logged as `info`; the rest,
 * of which there may be thousands a second, as `debug`.
 *
 * @param about `since`: when the request came, as `performance.now()` said
 */
export function recordRequest(
  about: { area: CompletedRequest['area']; route: string; since: number },
  request: IncomingMessage,
  response: ServerResponse,
  { telemetry, logger }: { telemetry: Telemetry; logger: Logger },
): void {
  const { area, route, since } = about;
  const { method = '' } = request;
  const answered: CompletedRequest = {
    area,
    method,
    route,
    status: response.statusCode,
    seconds: (performance.now() - since) / 1_000,
  };
  telemetry.requestCompleted(answered);
  const level = area === 'admin' && !SAFE_METHODS.has(method) ? 'info' : 'debug';
  if (!logger.isLevelEnabled(level)) return;
  logger[level]({ ...answered, ...traceOf(request, response) }, 'request answered');
}

/**
 * What every log line about a request says of it. Neither headers nor the address as it was sent:
 * clients put tokens into both.
 */
export function traceOf(
  request: IncomingMessage,
  response: ServerResponse,
): Record<string, unknown> {
  // Express takes the prefix of its mounts off `url`, and keeps what came as `originalUrl`.
  const url = (request as Partial<Request>).originalUrl ?? request.url ?? '';
  // A creation leaves its id in Express's locals: its address does not hold one.
  const { deploymentId = DEPLOYMENT.exec(url)?.[1]?.toLowerCase() } =
    (response as { locals?: { deploymentId?: string } }).locals ?? {};
  return {
    request_id: requestIdOf(response),
    ...(deploymentId !== undefined && { deployment_id: deploymentId }),
  };
}

/** As it was mounted, e.g. `/deployments/:id`; `none` before a route took the request. */
export function routeOf(request: Request): string {
  return (request.route as { path: string } | undefined)?.path ?? 'none';
}
