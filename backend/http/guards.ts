import type { Request, RequestHandler } from 'express';
import type { AdminCaller } from '../audit/admin-caller.ts';
import type { DeviceIdentity, HostContext } from '../host-contract.ts';
import { DomainError } from '../kernel/errors.ts';
import { requestIdOf } from './request-id.ts';

const admins = new WeakMap<Request, AdminCaller>();
const devices = new WeakMap<Request, DeviceIdentity>();

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

/** 401 without a valid device token, 403 when `device_id` names another device. */
export function requireDevice(auth: HostContext['auth']): RequestHandler {
  return async (request, _response, next) => {
    const identity = await auth.device(request);
    if (!identity) {
      throw new DomainError('unauthenticated', 'Send the bearer token the device was given.');
    }
    const claimed = request.query['device_id'];
    if (claimed !== undefined && claimed !== identity.deviceId) {
      throw new DomainError('forbidden', 'device_id is not the device this token belongs to.');
    }
    devices.set(request, identity);
    next();
  };
}

/** The admin that {@link requireAdmin} let in. */
export function adminOf(request: Request): AdminCaller {
  return identityOf(admins, request);
}

/** The device that {@link requireDevice} let in. */
export function deviceOf(request: Request): DeviceIdentity {
  return identityOf(devices, request);
}

function identityOf<T>(identities: WeakMap<Request, T>, request: Request): T {
  const identity = identities.get(request);
  if (!identity) throw new Error('route is not behind its guard');
  return identity;
}
