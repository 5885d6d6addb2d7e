import type { Request, RequestHandler } from 'express';
import type { AdminCaller } from '../kernel/admin-caller.ts';
import type { HostContext } from '../host-contract.ts';
import { DomainError } from '../kernel/errors.ts';
import { requestIdOf } from './request-id.ts';

const admins = new WeakMap<Request, AdminCaller>();

/** 401 without a valid session or token, 403 for users who are no admins. */
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

/** The admin that {@link requireAdmin} let in. */
export function adminOf(request: Request): AdminCaller {
  const identity = admins.get(request);
  if (!identity) throw new Error('route is not behind its guard');
  return identity;
}
