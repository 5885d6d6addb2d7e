import type { Request, RequestHandler } from 'express';
import { DomainError } from '../kernel/errors.ts';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Rejects cross-site requests (CSRF). Browsers add cookies and HTTP authentication to requests of any page, so a change
 * that is authenticated by them must prove that it comes from our page. A bearer token is proof enough, because
 * browsers never add one.
 */
export const requireSameOrigin: RequestHandler = (request, _response, next) => {
  if (
    !SAFE_METHODS.has(request.method) &&
    hasAmbientCredentials(request) &&
    !isSameOrigin(request)
  ) {
    throw new DomainError(
      'forbidden',
      'With a session, only pages of this host may make changes. A proxy must pass on Host and Origin.',
    );
  }
  next();
};

/** Whether a browser may have added the credentials by itself. */
function hasAmbientCredentials(request: Request): boolean {
  const { authorization, cookie } = request.headers;
  if (authorization !== undefined) return !/^bearer /i.test(authorization);
  return cookie !== undefined || isFromBrowser(request);
}

function isFromBrowser({ headers }: Request): boolean {
  return ['sec-fetch-site', 'origin', 'referer'].some((name) => headers[name] !== undefined);
}

/**
 * Browsers send `Sec-Fetch-Site` over HTTPS and to localhost, and `Origin` with every request that may change
 * something; old browsers send at least `Referer`. `same-site` is still another origin.
 */
function isSameOrigin(request: Request): boolean {
  const site = request.get('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  const page = request.get('origin') ?? request.get('referer') ?? '';
  return URL.canParse(page) && [request.host, request.get('host')].includes(new URL(page).host);
}
