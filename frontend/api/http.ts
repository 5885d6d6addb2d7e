import createClient from 'openapi-fetch';
import type { paths } from '../../backend/contract/openapi.ts';
import { texts } from '../texts/texts.ts';
import { ApiError, errorFromResponse } from './api-error.ts';

const API_BASE = '/api/v1/admin/ota';

/** After so long without an answer a request is given up, so that a hung server is noticed. */
const RESPONSE_TIMEOUT_MS = 15_000;

/** The admin API, its paths as the page writes them. */
type AdminPaths = {
  [
    Path in keyof paths as Path extends `${typeof API_BASE}${infer Rest}` ? Rest : never
  ]: paths[Path];
};

/** What a call of the {@link api} resolves with. */
interface ApiResult<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

type SignedOutListener = () => void;
const signedOutListeners = new Set<SignedOutListener>();

/** Calls `listener` whenever the server no longer knows the session; returns how to stop that. */
export function onSignedOut(listener: SignedOutListener): () => void {
  signedOutListeners.add(listener);
  return () => signedOutListeners.delete(listener);
}

/** The admin API with the session of the host; to be read by {@link unwrap}. */
export const api = createClient<AdminPaths>({
  baseUrl: API_BASE,
  credentials: 'same-origin',
  cache: 'no-store',
  // The content type alone keeps forms of other sites from making requests that change something.
  headers: { Accept: 'application/json' },
  querySerializer: searchOf,
  fetch: send,
});

/**
 * The answer of a call.
 *
 * @throws ApiError for everything but a 2xx answer; an abort by the caller's signal passes through.
 */
export async function unwrap<T>(call: Promise<ApiResult<T>>): Promise<T> {
  let answered: ApiResult<T>;
  try {
    answered = await call;
  } catch (error) {
    throw error instanceof SyntaxError ? notJson() : error;
  }
  const { data, error, response } = answered;
  if (response.ok) return data as T;

  const failure = errorFromResponse(response.status, error);
  if (failure.kind === 'signed_out') for (const listener of signedOutListeners) listener();
  throw failure;
}

/** Address of an event stream. */
export function streamUrl(path: string): string {
  return API_BASE + path;
}

/** A query without its empty values. */
function searchOf(query: Record<string, unknown>): string {
  const given = Object.entries(query).filter(([, value]) => (value ?? '') !== '');
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
}

async function send(request: Request): Promise<Response> {
  const timeout = AbortSignal.timeout(RESPONSE_TIMEOUT_MS);
  try {
    return await fetch(request, { signal: AbortSignal.any([request.signal, timeout]) });
  } catch (error) {
    if (request.signal.aborted) throw error;
    const { slow, slowTitle, unreachable, unreachableTitle } = texts.errors;
    throw timeout.aborted
      ? new ApiError({ kind: 'slow', title: slowTitle, message: slow })
      : new ApiError({ kind: 'unreachable', title: unreachableTitle, message: unreachable });
  }
}

function notJson(): ApiError {
  return new ApiError({
    kind: 'rejected',
    status: 200,
    title: texts.errors.unexpectedTitle,
    message: texts.errors.notJson,
  });
}
