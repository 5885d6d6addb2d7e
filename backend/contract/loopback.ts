const LOOPBACK = /^(localhost|127(?:\.\d{1,3}){3}|\[::1\])$/i;

/** Whether an address stays on its machine; server and agent allow plain http there only. */
export function isLoopback(url: URL): boolean {
  return LOOPBACK.test(url.hostname);
}
