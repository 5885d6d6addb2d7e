import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, RequestHandler } from 'express';
import type { Logger } from 'pino';
import type { CompletedRequest, Telemetry } from '../observability/telemetry.ports.ts';
import { requestIdOf } from './request-id.ts';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const DEPLOYMENT = /\/deployments\/([\da-f-]{36})(?:[/?]|$)/i;

/**
 * Records every request when its response has been sent or its client has disconnected. Mount it after `requestIds`
 * and before everything else.
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
 * Records a request in the metrics and the log. Changes by admins are logged at `info`. All other requests, of which
 * there may be thousands a second, are logged at `debug` (docs/monitoring.md, The log).
 *
 * @param about `since`: the arrival of the request, in milliseconds of `performance.now()`
 */
export function recordRequest(
  about: { area: CompletedRequest['area']; route: string; since: number },
  request: IncomingMessage,
  response: ServerResponse,
  { telemetry, logger }: { telemetry: Telemetry; logger: Logger },
): void {
  const { area, route, since } = about;
  const { method = '' } = request;
  const completed: CompletedRequest = {
    area,
    method,
    route,
    status: response.statusCode,
    seconds: (performance.now() - since) / 1_000,
  };
  telemetry.requestCompleted(completed);
  const level = area === 'admin' && !SAFE_METHODS.has(method) ? 'info' : 'debug';
  if (!logger.isLevelEnabled(level)) return;
  logger[level]({ ...completed, ...traceOf(request, response) }, 'request answered');
}

/**
 * The fields that identify a request in a log line. Headers and the URL are left out, because clients put tokens into
 * both.
 */
export function traceOf(
  request: IncomingMessage,
  response: ServerResponse,
): Record<string, unknown> {
  // Express removes the mount prefix from `url` and keeps the full URL in `originalUrl`.
  const url = (request as Partial<Request>).originalUrl ?? request.url ?? '';
  // The path of a creation has no id, so its controller puts the new id into `locals`.
  const { deploymentId = DEPLOYMENT.exec(url)?.[1]?.toLowerCase() } =
    (response as { locals?: { deploymentId?: string } }).locals ?? {};
  return {
    request_id: requestIdOf(response),
    ...(deploymentId !== undefined && { deployment_id: deploymentId }),
  };
}

/** The matched route as it was mounted, e.g. `/deployments/:id`; `none` if no route matched yet. */
export function routeOf(request: Request): string {
  return (request.route as { path: string } | undefined)?.path ?? 'none';
}
