import type { Request, RequestHandler } from 'express';
import { DomainError } from '../kernel/errors.ts';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses what another site's page makes a signed-in browser send. What a browser adds by itself (a
 * cookie, a password of HTTP authentication) proves nothing about who asks, so a change that comes with
 * it needs evidence that the page is ours. A bearer token is evidence enough: no browser adds one.
 */
export const requireSameOrigin: RequestHandler = (request, _response, next) => {
  if (
    !SAFE_METHODS.has(request.method) &&
    hasAmbientCredentials(request) &&
    !isSameOrigin(request)
  ) {
    throw new DomainError(
      'forbidden',
      'With a session, only pages of this host may change something. A proxy in front of it must pass on Host and Origin.',
    );
  }
  next();
};

/** Whether a browser may have added what the caller was let in by. */
function hasAmbientCredentials(request: Request): boolean {
  const { authorization, cookie } = request.headers;
  if (authorization !== undefined) return !/^bearer /i.test(authorization);
  return cookie !== undefined || isFromBrowser(request);
}

function isFromBrowser({ headers }: Request): boolean {
  return ['sec-fetch-site', 'origin', 'referer'].some((name) => headers[name] !== undefined);
}

/**
 * Browsers say `Sec-Fetch-Site` over HTTPS and to localhost, and `Origin` with every request that may
 * change something; old ones at least `Referer`. A site next door (`same-site`) is another site.
 */
function isSameOrigin(request: Request): boolean {
  const site = request.get('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  const page = request.get('origin') ?? request.get('referer') ?? '';
  return URL.canParse(page) && [request.host, request.get('host')].includes(new URL(page).host);
}
