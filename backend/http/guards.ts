import type { Request, RequestHandler } from 'express';
import type { AdminCaller } from '../kernel/admin-caller.ts';
import type { HostContext } from '../host-contract.ts';
import { isDatabaseUnavailable } from '../database/database-errors.ts';
import { DomainError } from '../kernel/errors.ts';
import { requestIdOf } from './request-id.ts';

const RETRY_AFTER_SECONDS = 5;

const admins = new WeakMap<Request, AdminCaller>();

/**
 * Rejects requests without a valid session or token with 401, and users who are not admins with 403. If the host cannot
 * check them, nobody is let in: 503.
 */
export function requireAdmin(auth: HostContext['auth']): RequestHandler {
  return async (request, response, next) => {
    const identity = await auth.admin(request).catch(rejectUnchecked);
    if (!identity) {
      throw new DomainError('unauthenticated', 'Sign in, or send a valid bearer token.');
    }
    if (!identity.isAdmin) {
      throw new DomainError('forbidden', 'Only admins may manage updates.');
    }
    admins.set(request, {
      ...identity,
      address: request.ip ?? null,
      requestId: requestIdOf(response),
    });
    next();
  };
}

/** The database has its own problem; what else the host's check needs, only the host knows. */
function rejectUnchecked(error: unknown): never {
  if (isDatabaseUnavailable(error)) throw error;
  throw new DomainError(
    'authentication_unavailable',
    'The host cannot check sessions and tokens at the moment; retry after Retry-After.',
    {},
    { cause: error, retryAfterSeconds: RETRY_AFTER_SECONDS },
  );
}

/** The admin that {@link requireAdmin} authenticated. Throws if the route is not behind it. */
export function adminOf(request: Request): AdminCaller {
  const identity = admins.get(request);
  if (!identity) throw new Error('the route is not behind requireAdmin');
  return identity;
}
