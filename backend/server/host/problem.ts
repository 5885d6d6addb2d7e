import type { ErrorRequestHandler, RequestHandler } from 'express';
import type { ObjectSchema } from 'joi';
import type { Logger } from 'pino';

const TITLES = {
  invalid_request: [400, 'The request is not valid'],
  unauthenticated: [401, 'Authentication is required'],
  forbidden: [403, 'Not allowed'],
  cross_site: [403, 'The request comes from another site'],
  not_found: [404, 'Not found'],
  conflict: [409, 'Not possible in the current state'],
  payload_too_large: [413, 'The request body is too large'],
  unsupported_media_type: [415, 'The media type is not supported'],
  internal_error: [500, 'Internal error'],
  unavailable: [503, 'Not available at the moment'],
} as const;

/** Codes of the host's error responses. The plugin has its own. */
export type HostProblemCode = keyof typeof TITLES;

/** An error response, sent as `application/problem+json`. */
export class HostProblem extends Error {
  readonly code: HostProblemCode;
  readonly errors: { path: string; message: string }[];

  constructor(
    code: HostProblemCode,
    detail: string,
    errors: { path: string; message: string }[] = [],
  ) {
    super(detail);
    this.code = code;
    this.errors = errors;
  }
}

/** @throws {HostProblem} `invalid_request`, naming every error */
export function validated<T>(schema: ObjectSchema<T>, input: unknown): T {
  const { value, error } = schema.validate(input ?? {}, {
    abortEarly: false,
    errors: { wrap: { label: false } },
  });
  if (!error) return value;
  throw new HostProblem(
    'invalid_request',
    error.message,
    error.details.map(({ path, message }) => ({ path: path.join('.'), message })),
  );
}

/** Handles requests that no route matched. */
export const notFound: RequestHandler = (request, _response, next) => {
  next(new HostProblem('not_found', `There is nothing at ${request.method} ${request.path}.`));
};

/** The only place where the host turns an error into a response. */
export function problemHandler(logger: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const problem = asProblem(error);
    const [status, title] = TITLES[problem.code];
    const requestId = response.get('X-Request-Id');
    if (status === 500) {
      logger.error({ err: error, path: request.path, request_id: requestId }, 'Request failed');
    }
    if (status === 503) response.set('Retry-After', '5');
    response
      .status(status)
      .type('application/problem+json')
      .json({
        type: 'about:blank',
        title,
        status,
        detail: problem.message,
        code: problem.code,
        ...(problem.errors.length > 0 ? { errors: problem.errors } : {}),
        ...(status >= 500 ? { request_id: requestId } : {}),
      });
  };
}

function asProblem(error: unknown): HostProblem {
  if (error instanceof HostProblem) return error;
  const { status, message } = error as { status?: unknown; message?: unknown };
  const detail = typeof message === 'string' ? message : 'The request could not be read.';
  // Thrown by Express's body parsers.
  if (status === 400) return new HostProblem('invalid_request', detail);
  if (status === 413) return new HostProblem('payload_too_large', detail);
  if (status === 415) return new HostProblem('unsupported_media_type', detail);
  if (isDatabaseUnavailable(error)) {
    return new HostProblem('unavailable', 'The database is not available.');
  }
  return new HostProblem('internal_error', 'Internal error; see the host log.');
}

/** Error codes of the operating system and PostgreSQL, and Knex's timeout for a free connection. */
function isDatabaseUnavailable(error: unknown): boolean {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return (
    name === 'KnexTimeoutError' ||
    (typeof code === 'string' && /^(ECONN\w+|EPIPE|ETIMEDOUT|57P0[1-3]|08\w{3})$/.test(code))
  );
}
