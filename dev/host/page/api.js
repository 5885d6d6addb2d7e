/**
 * Sends a request to the host and returns the JSON of its response. Without a session, the browser goes to the sign-in
 * page.
 *
 * @throws {Error} if the response is not a 2xx, with the detail that the host gives
 */
export async function requestJson(path, options = {}) {
  const { body, ...rest } = options;
  const response = await fetch(path, {
    ...rest,
    headers: {
      Accept: 'application/json',
      ...(body ? { 'Content-Type': 'application/json' } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (response.status === 401) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
  }
  const data = await response.json().catch(() => null);
  if (!response.ok)
    throw new Error(data?.detail ?? `The host responded with status ${response.status}.`);
  return data;
}
