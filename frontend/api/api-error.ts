import type { FieldError, Problem, ProblemCode } from '../../backend/contract/problem.ts';
import { texts } from '../texts/texts.ts';

/**
 * `unreachable`: no response; `slow`: no response in time; `rejected`: an error response, or one that cannot be read.
 */
export type ApiErrorKind = 'unreachable' | 'slow' | 'signed_out' | 'rejected';

/** A failed request, whatever the cause, ready to be shown: `message` is a sentence for the user. */
export class ApiError extends Error {
  readonly kind: ApiErrorKind;
  /** HTTP status; 0 if there was no response. */
  readonly status: number;
  readonly code: ProblemCode | null;
  /** Short title, shorter than `message`. */
  readonly title: string;
  readonly fieldErrors: readonly FieldError[];

  constructor(init: {
    kind: ApiErrorKind;
    title: string;
    message: string;
    status?: number;
    code?: ProblemCode | null;
    fieldErrors?: readonly FieldError[];
  }) {
    super(init.message);
    this.name = 'ApiError';
    this.kind = init.kind;
    this.title = init.title;
    this.status = init.status ?? 0;
    this.code = init.code ?? null;
    this.fieldErrors = init.fieldErrors ?? [];
  }

  /** Whether the same request may succeed later. */
  get isTemporary(): boolean {
    return (
      this.kind === 'unreachable' ||
      this.kind === 'slow' ||
      this.status === 429 ||
      (this.status >= 502 && this.status <= 504)
    );
  }
}

/** @param body parsed body: `application/problem+json` from the server, but anything from a proxy */
export function errorFromResponse(status: number, body: unknown): ApiError {
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
    message: problem?.detail || problem?.title || texts.errors.unexpectedStatus(status),
    fieldErrors: problem?.errors ?? [],
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
