/**
 * Asks the host for JSON. Without a session the browser goes to the sign-in page.
 * @throws {Error} with the host's own explanation
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
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Error(answer?.detail ?? `The host answered ${response.status}.`);
  return answer;
}
