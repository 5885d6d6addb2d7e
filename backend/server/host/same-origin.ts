import type { Request, RequestHandler } from 'express';

import { HostProblem } from './problem.ts';
import { bearerToken } from './tokens.ts';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Protects sessions against cross-site request forgery. A bearer token takes precedence over a session, and browsers
 * never send one on their own, so requests with a token are allowed.
 */
export const sameOriginSessions: RequestHandler = (request, _response, next) => {
  const needsCheck =
    !SAFE_METHODS.has(request.method) &&
    bearerToken(request.get('authorization')) === null &&
    request.get('cookie') !== undefined;
  if (needsCheck && !isSameOrigin(request)) reject(request);
  next();
};

/** For forms without a session, such as the login form. */
export const sameOriginOnly: RequestHandler = (request, _response, next) => {
  if (!isSameOrigin(request)) reject(request);
  next();
};

function reject(request: Request): never {
  throw new HostProblem(
    'cross_site',
    `${request.method} requests with a session are only accepted from pages of this host.`,
  );
}

/**
 * Browsers send `Sec-Fetch-Site` to HTTPS and localhost addresses, and `Origin` with every unsafe request.
 * A request with neither does not come from a page of this host.
 */
function isSameOrigin(request: Request): boolean {
  const site = request.get('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin';
  const origin = request.get('origin') ?? '';
  return URL.canParse(origin) && new URL(origin).host === request.host;
}
