import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import type { Logger } from 'pino';
import { PROBLEMS, type Problem } from '../contract/problem.ts';
import { databaseUnavailable, isDatabaseUnavailable } from '../database/database-errors.ts';
import { DomainError, notFound } from '../kernel/errors.ts';
import { sendJson } from './json-response.ts';
import { requestIdOf } from './request-id.ts';
import { routeOf, traceOf } from './request-telemetry.ts';

/**
 * Turns every error into an HTTP response (RFC 9457; docs/contract.md, Errors). Errors that are not domain errors are
 * logged with their stack, but the response never contains a stack, SQL or a path.
 */
export function problemHandler(logger: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const route = routeOf(request);
    sendProblem(error, { request, response, logger, route });
  };
}

/** Sends an error as a problem. Server errors (5xx) are logged, and the response contains their request id. */
export function sendProblem(
  error: unknown,
  where: { request: IncomingMessage; response: ServerResponse; logger: Logger; route: string },
): void {
  const { request, response, logger, route } = where;
  const problem = toDomainError(error);
  const isServerError = PROBLEMS[problem.code].status >= 500;
  // A full server is not a fault, and a log line for each rejection would add to the overload.
  if (isServerError && problem.code !== 'overloaded') {
    logger.error(
      { err: error, method: request.method, route, ...traceOf(request, response) },
      problem.message,
    );
  }
  writeProblem(response, problem, isServerError ? { request_id: requestIdOf(response) } : {});
}

function writeProblem(
  response: ServerResponse,
  error: DomainError,
  trace: Pick<Problem, 'request_id'>,
): void {
  const { status, title } = PROBLEMS[error.code];
  const body: Problem = {
    type: `urn:ota:problem:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    ...error.extras,
    ...trace,
  };
  if (error.retryAfterSeconds !== undefined) {
    response.setHeader('Retry-After', String(error.retryAfterSeconds));
  }
  if (error.allowedMethods) response.setHeader('Allow', error.allowedMethods.join(', '));
  sendJson(response, status, body, 'application/problem+json; charset=utf-8');
}

/** Responds 404 to every path that no route of the router matched. */
export const unknownRoute: RequestHandler = (request) => {
  throw notFound(`${request.method} ${request.baseUrl}${request.path}`);
};

function toDomainError(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  if (isDatabaseUnavailable(error)) return databaseUnavailable(error);
  return (
    fromBodyParser(error) ??
    new DomainError(
      'internal_error',
      'The server failed to handle the request. The error has been logged.',
    )
  );
}

/** The errors of Express and its body parser carry a `type`. */
function fromBodyParser(error: unknown): DomainError | null {
  const { type, status } = (error ?? {}) as { type?: unknown; status?: unknown };
  if (type === 'entity.too.large') {
    return new DomainError(
      'payload_too_large',
      'The request body is larger than this route allows.',
    );
  }
  if (type === 'encoding.unsupported' || type === 'charset.unsupported') {
    return new DomainError('unsupported_media_type', 'Send the body as JSON in UTF-8.');
  }
  if (status === 400) {
    return new DomainError('invalid_request', 'The JSON or the URL of the request is malformed.', {
      errors: [{ path: '', message: 'malformed' }],
    });
  }
  return null;
}
