import type { FieldError, ProblemCode } from '../contract/problem.ts';

/** Additional fields of the problem; safe to show to the caller. */
export interface ProblemExtras {
  errors?: FieldError[];
  current_status?: string;
  allowed_actions?: string[];
}

/**
 * An error that the API defines (docs/contract.md, Errors). Throw it where the problem is detected; `http/problem.ts`
 * turns it into a response. The caller sees `message`, which states what is wrong and what to do.
 */
export class DomainError extends Error {
  readonly code: ProblemCode;
  readonly extras: ProblemExtras;
  /** Seconds until a retry makes sense; sent as `Retry-After`. */
  readonly retryAfterSeconds: number | undefined;
  /** The methods of the path; sent as `Allow`. */
  readonly allowedMethods: readonly string[] | undefined;

  constructor(
    code: ProblemCode,
    detail: string,
    extras: ProblemExtras = {},
    options: {
      cause?: unknown;
      retryAfterSeconds?: number;
      allowedMethods?: readonly string[];
    } = {},
  ) {
    super(detail, { cause: options.cause });
    this.name = 'DomainError';
    this.code = code;
    this.extras = extras;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.allowedMethods = options.allowedMethods;
  }
}

/** 400 with every error of the input. */
export function invalidRequest(errors: FieldError[]): DomainError {
  const list = errors.map((error) => error.message).join('; ');
  return new DomainError('invalid_request', list, { errors });
}

/** 404: the object does not exist or belongs to another organization; the caller cannot tell which. */
export function notFound(what: string): DomainError {
  return new DomainError('not_found', `${what} does not exist.`);
}
