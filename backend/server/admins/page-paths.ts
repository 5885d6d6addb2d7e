/** Paths of this server that the browser of an admin opens. */

/** Everything of this folder is below it, so that the proxy needs one rule. */
export const SERVER_API = '/api/v1/ota-server';
/** The page of the plugin. */
const PAGE = '/admin/edge/ota';

/**
 * A path of the page with its query, below the prefix of the proxy. Anything else becomes the page's start, so that
 * `next` cannot send people to another site.
 */
export function pagePath(next: unknown, basePath: string): string {
  // A parser sees what a browser would: it resolves "..", and "//" or "/\" lead to another host.
  const origin = 'http://page.invalid';
  if (typeof next !== 'string' || !next.startsWith('/') || !URL.canParse(next, origin)) return PAGE;
  const url = new URL(next, origin);
  const path = url.pathname.startsWith(`${basePath}/`)
    ? url.pathname.slice(basePath.length)
    : url.pathname;
  const isPage = url.origin === origin && (path === PAGE || path.startsWith(`${PAGE}/`));
  return isPage ? path + url.search : PAGE;
}
