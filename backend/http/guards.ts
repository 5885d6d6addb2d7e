import type { Request, RequestHandler } from 'express';
import type { AdminCaller } from '../kernel/admin-caller.ts';
import type { HostContext } from '../host-contract.ts';
import { DomainError } from '../kernel/errors.ts';
import { requestIdOf } from './request-id.ts';

const admins = new WeakMap<Request, AdminCaller>();

/** Rejects requests without a valid session or token with 401, and users who are not admins with 403. */
export function requireAdmin(auth: HostContext['auth']): RequestHandler {
  return async (request, response, next) => {
    const identity = await auth.admin(request);
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

/** The admin that {@link requireAdmin} authenticated. Throws if the route is not behind it. */
export function adminOf(request: Request): AdminCaller {
  const identity = admins.get(request);
  if (!identity) throw new Error('the route is not behind requireAdmin');
  return identity;
}
