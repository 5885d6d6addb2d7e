/**
 * The names that Python's HTTP libraries send by default. Agents of the earlier generation are Python programs: the
 * published one uses aiohttp, and those derived from it use one of these.
 */
const PYTHON_LIBRARY =
  /^(?:Python\/\S+ aiohttp|python-requests|python-httpx|python-urllib3|Python-urllib)\//;

/** Whether a device request comes from an agent of the earlier generation (docs/earlier-agents.md, Recognition). */
export function isEarlierAgent(userAgent: string | undefined): boolean {
  return userAgent !== undefined && PYTHON_LIBRARY.test(userAgent);
}

/**
 * The checksum for an agent: as the admin wrote it, or, for the earlier generation, as 64 lower-case hex digits, which it
 * compares as text.
 */
export function checksumFor(userAgent: string | undefined, checksum: string): string {
  return isEarlierAgent(userAgent) ? checksum.replace(/^sha256:/i, '').toLowerCase() : checksum;
}
