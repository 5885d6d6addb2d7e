import type { Request, RequestHandler } from 'express';
import type { AdminIdentity, HostContext } from '../host-contract.ts';
import { DomainError } from '../kernel/errors.ts';

const admins = new WeakMap<Request, AdminIdentity>();

/** 401 without a valid session or token, 403 for users who are no admins. */
export function requireAdmin(auth: HostContext['auth']): RequestHandler {
  return async (request, _response, next) => {
    const identity = await auth.admin(request);
    if (!identity) {
      throw new DomainError('unauthenticated', 'Sign in, or send a valid bearer token.');
    }
    if (!identity.isAdmin) {
      throw new DomainError('forbidden', 'Only admins may manage updates.');
    }
    admins.set(request, identity);
    next();
  };
}

/** The admin that {@link requireAdmin} let in. */
export function adminOf(request: Request): AdminIdentity {
  const identity = admins.get(request);
  if (!identity) throw new Error('route is not behind its guard');
  return identity;
}
