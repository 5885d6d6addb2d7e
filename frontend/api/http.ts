import { texts } from '../texts/texts.ts';
import { ApiError, errorFromAnswer } from './api-error.ts';

export const API_BASE = '/api/v1/admin/ota';

/** After so long without an answer a request is given up, so that a hung server is noticed. */
const ANSWER_TIMEOUT_MS = 15_000;

export type QueryValue = string | number | null | undefined;

export interface RequestOptions {
  query?: Record<string, QueryValue>;
  /** Sent as JSON. The content type alone keeps forms of other sites from making such requests. */
  body?: unknown;
  signal?: AbortSignal | undefined;
}

type SignedOutListener = () => void;
const signedOutListeners = new Set<SignedOutListener>();

/** Calls `listener` whenever the server no longer knows the session; returns how to stop that. */
export function onSignedOut(listener: SignedOutListener): () => void {
  signedOutListeners.add(listener);
  return () => signedOutListeners.delete(listener);
}

/**
 * One request to the admin API with the session of the host.
 *
 * @throws ApiError for everything but a 2xx answer; an abort by `signal` passes through as it is.
 */
export async function request<T>(
  method: 'GET' | 'POST',
  path: string,
  options: RequestOptions = {},
): Promise<T> {
  const timeout = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  const response = await send(method, path, options, signal);
  const body = await readBody(response);
  if (response.ok) return body as T;

  const error = errorFromAnswer(response.status, body);
  if (error.kind === 'signed_out') for (const listener of signedOutListeners) listener();
  throw error;
}

/** `path` below the API's base, with the query; empty values are left out. */
export function apiUrl(path: string, query: Record<string, QueryValue> = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') parameters.set(name, String(value));
  }
  const search = parameters.toString();
  return `${API_BASE}${path}${search ? `?${search}` : ''}`;
}

async function send(
  method: string,
  path: string,
  options: RequestOptions,
  signal: AbortSignal,
): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (method !== 'GET') headers['Content-Type'] = 'application/json';
  try {
    return await fetch(apiUrl(path, options.query), {
      method,
      headers,
      credentials: 'same-origin',
      cache: 'no-store',
      signal,
      ...(method === 'GET' ? {} : { body: JSON.stringify(options.body ?? {}) }),
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw signal.aborted
      ? new ApiError({
          kind: 'slow',
          title: texts.errors.slowTitle,
          message: texts.errors.slow,
        })
      : new ApiError({
          kind: 'unreachable',
          title: texts.errors.unreachableTitle,
          message: texts.errors.unreachable,
        });
  }
}

async function readBody(response: Response): Promise<unknown> {
  const text = await response.text();
  if (text === '') return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    if (!response.ok) return null;
    throw new ApiError({
      kind: 'rejected',
      status: response.status,
      title: texts.errors.unexpectedTitle,
      message: texts.errors.notJson,
    });
  }
}
