const LOOPBACK = /^(localhost|127(?:\.\d{1,3}){3}|\[::1\])$/i;

/** Whether a URL points to the machine itself. Server and agent allow plain http only there. */
export function isLoopback(url: URL): boolean {
  return LOOPBACK.test(url.hostname);
}
