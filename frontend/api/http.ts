import createClient from 'openapi-fetch';
import type { paths } from '../../backend/contract/generated/openapi.ts';
import { texts } from '../texts/texts.ts';
import { ApiError, errorFromResponse } from './api-error.ts';

const API_BASE = '/api/v1/admin/ota';

/** Requests without a response are aborted after this time, so that the page notices a hung server. */
const RESPONSE_TIMEOUT_MS = 15_000;

/** Path prefix that the host is served below, e.g. `/ops`. */
let basePath = '';

/** Call it before the first request, with the base of the host's router. */
export function setBasePath(path: string): void {
  basePath = path;
}

/** A request to a path of the host. */
class HostRequest extends Request {
  constructor(path: RequestInfo | URL, init?: RequestInit) {
    super(typeof path === 'string' ? basePath + path : path, init);
  }
}

/** The paths of the admin API relative to `API_BASE`. */
type AdminPaths = {
  [
    Path in keyof paths as Path extends `${typeof API_BASE}${infer Rest}` ? Rest : never
  ]: paths[Path];
};

/** What a call of {@link api} resolves with. */
interface ApiResult<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

type SignedOutListener = () => void;
const signedOutListeners = new Set<SignedOutListener>();

/** Calls `listener` whenever a response shows that the session has expired; returns a function that unsubscribes it. */
export function onSignedOut(listener: SignedOutListener): () => void {
  signedOutListeners.add(listener);
  return () => signedOutListeners.delete(listener);
}

/** Client of the admin API, authenticated by the host's session cookie. Pass its results to {@link unwrap}. */
export const api = createClient<AdminPaths>({
  baseUrl: API_BASE,
  Request: HostRequest,
  credentials: 'same-origin',
  cache: 'no-store',
  // With a JSON content type, forms of other sites cannot send requests that change something (CSRF).
  headers: { Accept: 'application/json' },
  querySerializer: searchOf,
  fetch: send,
});

/**
 * The response body of a call.
 *
 * @throws {ApiError} unless the response is a 2xx; an abort by the caller's signal is rethrown as it is
 */
export async function unwrap<T>(call: Promise<ApiResult<T>>): Promise<T> {
  let result: ApiResult<T>;
  try {
    result = await call;
  } catch (error) {
    throw error instanceof SyntaxError ? notJson() : error;
  }
  const { data, error, response } = result;
  if (response.ok) return data as T;

  const failure = errorFromResponse(response.status, error);
  if (failure.kind === 'signed_out') for (const listener of signedOutListeners) listener();
  throw failure;
}

/** @param path relative to the admin API, as in `/stream` */
export function streamUrl(path: string): string {
  return basePath + API_BASE + path;
}

/** Serializes a query without its empty values. */
function searchOf(query: Record<string, unknown>): string {
  const nonEmpty = Object.entries(query).filter(([, value]) => (value ?? '') !== '');
  return new URLSearchParams(nonEmpty.map(([name, value]) => [name, String(value)])).toString();
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
