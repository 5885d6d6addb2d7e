import type { FieldError, ProblemCode } from '../contract/problem.ts';

/** Facts that belong to an error and are safe to show to the caller. */
export interface ProblemExtras {
  errors?: FieldError[];
  current_status?: string;
  allowed_actions?: string[];
}

/**
 * An error of the business: thrown once, where it is known, and turned into an HTTP answer in one
 * place (`http/problem.ts`). `message` is shown to the caller: it says what is wrong and what to do.
 */
export class DomainError extends Error {
  readonly code: ProblemCode;
  readonly extras: ProblemExtras;
  /** Seconds after which trying again makes sense; sent as `Retry-After`. */
  readonly retryAfterSeconds: number | undefined;
  /** The methods that the path has; sent as `Allow`. */
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

/** 400: every fault of the input at once. */
export function invalidRequest(faults: FieldError[]): DomainError {
  const list = faults.map((fault) => fault.message).join('; ');
  return new DomainError('invalid_request', list, { errors: faults });
}

/** 404: unknown, or of another organization; the two are not told apart. */
export function notFound(what: string): DomainError {
  return new DomainError('not_found', `${what} does not exist.`);
}
