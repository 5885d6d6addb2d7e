import { config } from './config.js';

/**
 * Sends a request to the host and returns the JSON of its response. Without a session, the browser goes to the sign-in
 * page.
 *
 * @param path below the host's base path, e.g. `/api/v1/admin/ota-server/enrolment/window`
 * @throws {Error} if the response is not a 2xx, with the detail that the host gives
 */
export function requestJson(path, options = {}) {
  return requestUrl(config.base_path + path, options);
}

/** As {@link requestJson}, but with a URL that the host gave. */
export async function requestUrl(url, options = {}) {
  const { body, ...rest } = options;
  const response = await fetch(url, {
    ...rest,
    cache: 'no-store',
    headers: {
      Accept: 'application/json',
      ...(body ? { 'Content-Type': 'application/json' } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  }).catch(() => {
    throw new Error('The server does not respond. Check your connection, and try again.');
  });
  const data = await response.json().catch(() => null);
  if (response.status === 401) {
    location.assign(signInUrl(data?.sign_in));
    // The document is about to be replaced: show no error for a moment.
    return new Promise(() => {});
  }
  if (!response.ok)
    throw new Error(data?.detail ?? `The server responded with status ${response.status}.`);
  return data;
}

/** Without an address, opening this page again leads there: the host redirects users without a session. */
function signInUrl(address) {
  if (typeof address !== 'string') return location.href;
  const url = new URL(address, location.origin);
  url.searchParams.set('next', location.pathname + location.search);
  return url.href;
}
