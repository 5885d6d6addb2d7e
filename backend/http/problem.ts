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
 * The one place where an error becomes an HTTP answer (RFC 9457). What is not a domain error is
 * logged with its stack and answered without it: no stack, SQL or path leaves the server.
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

/** Answers an error; one that is not the client's is logged, and its answer says as what. */
export function sendProblem(
  error: unknown,
  where: { request: IncomingMessage; response: ServerResponse; logger: Logger; route: string },
): void {
  const { request, response, logger, route } = where;
  const problem = toDomainError(error);
  const isOurs = PROBLEMS[problem.code].status >= 500;
  // Being at the limit is no fault, and a line for each refusal would be the next overload.
  if (isOurs && problem.code !== 'overloaded') {
    logger.error(
      { err: error, method: request.method, route, ...traceOf(request, response) },
      problem.message,
    );
  }
  writeProblem(response, problem, isOurs ? { request_id: requestIdOf(response) } : {});
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

/** Answers every path below the router that no route took. */
export const unknownRoute: RequestHandler = (request) => {
  throw notFound(`${request.method} ${request.baseUrl}${request.path}`);
};

function toDomainError(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  if (isDatabaseUnavailable(error)) return databaseUnavailable(error);
  return (
    fromBodyParser(error) ??
    new DomainError('internal_error', 'Something went wrong on the server; it has been logged.')
  );
}

/** The errors of Express and its body parser carry a `type`. */
function fromBodyParser(error: unknown): DomainError | null {
  const { type, status } = (error ?? {}) as { type?: unknown; status?: unknown };
  if (type === 'entity.too.large') {
    return new DomainError(
      'payload_too_large',
      'The request body is larger than this route takes.',
    );
  }
  if (type === 'encoding.unsupported' || type === 'charset.unsupported') {
    return new DomainError('unsupported_media_type', 'Send the body as JSON in UTF-8.');
  }
  if (status === 400) {
    return new DomainError(
      'invalid_request',
      'The request cannot be read: malformed JSON or URL.',
      {
        errors: [{ path: '', message: 'malformed' }],
      },
    );
  }
  return null;
}
