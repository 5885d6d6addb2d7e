import type { RequestHandler } from 'express';
import { DomainError } from '../kernel/errors.ts';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses what a browser sends from another site's page. Browsers tell by `Sec-Fetch-Site`; requests
 * with a bearer token are not from a browser's session, so nothing rides along with them.
 */
export const requireSameOrigin: RequestHandler = (request, _response, next) => {
  const site = request.headers['sec-fetch-site'];
  const isCrossSite = site === 'cross-site' || site === 'same-site';
  if (isCrossSite && !SAFE_METHODS.has(request.method) && !request.headers.authorization) {
    throw new DomainError('forbidden', 'Requests from pages of another site are refused.');
  }
  next();
};
