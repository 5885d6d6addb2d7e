import type { FieldError, Problem, ProblemCode } from '../../backend/contract/problem.ts';
import { texts } from '../texts/texts.ts';

/** `unreachable`: no answer at all; `slow`: no answer in time; `rejected`: an answer that says no. */
export type ApiErrorKind = 'unreachable' | 'slow' | 'signed_out' | 'rejected';

/** Every way a request can fail, ready to be shown: `message` is a sentence for people. */
export class ApiError extends Error {
  readonly kind: ApiErrorKind;
  /** HTTP status, 0 when there was no answer. */
  readonly status: number;
  readonly code: ProblemCode | null;
  /** Title of the fault, shorter than `message`. */
  readonly title: string;
  readonly faults: readonly FieldError[];

  constructor(init: {
    kind: ApiErrorKind;
    title: string;
    message: string;
    status?: number;
    code?: ProblemCode | null;
    faults?: readonly FieldError[];
  }) {
    super(init.message);
    this.name = 'ApiError';
    this.kind = init.kind;
    this.title = init.title;
    this.status = init.status ?? 0;
    this.code = init.code ?? null;
    this.faults = init.faults ?? [];
  }

  /** Whether trying again later can help without anybody changing anything. */
  get isTemporary(): boolean {
    return (
      this.kind === 'unreachable' ||
      this.kind === 'slow' ||
      this.status === 429 ||
      (this.status >= 502 && this.status <= 504)
    );
  }
}

/** The answer of the product is `application/problem+json`; a proxy's may be anything. */
export function errorFromAnswer(status: number, body: unknown): ApiError {
  const problem = isProblem(body) ? body : null;
  if (status === 401) {
    return new ApiError({
      kind: 'signed_out',
      status,
      code: problem?.code ?? null,
      title: texts.errors.signedOutTitle,
      message: texts.errors.signedOut,
    });
  }
  return new ApiError({
    kind: 'rejected',
    status,
    code: problem?.code ?? null,
    title: problem?.title ?? texts.errors.unexpectedTitle,
    message: problem?.detail || problem?.title || texts.errors.unexpectedAnswer(status),
    faults: problem?.errors ?? [],
  });
}

/** Anything thrown, as an `ApiError`. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError({
    kind: 'rejected',
    title: texts.errors.unexpectedTitle,
    message: error instanceof Error ? error.message : String(error),
  });
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'title' in body && 'status' in body;
}
