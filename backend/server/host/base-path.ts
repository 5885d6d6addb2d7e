/** The path prefix that a reverse proxy has for a host, e.g. `/ops`; empty: none. */

/**
 * The URL of a request without the prefix, whether or not the proxy removed it.
 *
 * @param url path and query as received
 * @param basePath without a slash at the end
 */
export function withoutBasePath(url: string, basePath: string): string {
  if (basePath === '' || !url.startsWith(basePath)) return url;
  const rest = url.slice(basePath.length);
  if (rest.startsWith('/')) return rest;
  return rest === '' || rest.startsWith('?') ? `/${rest}` : url;
}
