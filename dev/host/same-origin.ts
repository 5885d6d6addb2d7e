import type { Request, RequestHandler } from 'express';

import { HostProblem } from './problem.ts';
import { sessionToken } from './session-cookie.ts';
import { bearerToken } from './tokens.ts';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses what another site makes a signed-in browser send. Bearer tokens are never sent by a browser
 * on its own, so requests that carry one are let through.
 */
export const sameOriginSessions: RequestHandler = (request, _response, next) => {
  const needsProof =
    !SAFE_METHODS.has(request.method) &&
    bearerToken(request.get('authorization')) === null &&
    sessionToken(request) !== null;
  if (needsProof && !isSameOrigin(request)) refuse(request);
  next();
};

/** For forms that are used without a session, such as the one that signs in. */
export const sameOriginOnly: RequestHandler = (request, _response, next) => {
  if (!isSameOrigin(request)) refuse(request);
  next();
};

function refuse(request: Request): never {
  throw new HostProblem(
    'cross_site',
    `${request.method} with a session is accepted from the pages of this host only.`,
  );
}

/**
 * Browsers send `Sec-Fetch-Site` to addresses they trust (HTTPS, localhost), and `Origin` with every
 * unsafe request; what sends neither is not a page of ours.
 */
function isSameOrigin(request: Request): boolean {
  const site = request.get('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin';
  const origin = request.get('origin') ?? '';
  return URL.canParse(origin) && new URL(origin).host === request.get('host');
}
