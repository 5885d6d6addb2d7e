import type { RequestHandler, Router } from 'express';
import { DomainError } from '../kernel/errors.ts';

type Method = 'get' | 'post' | 'delete';

/** What answers, by path and method. Paths without parameters stand before those they would match. */
export type RouteTable = Record<string, Partial<Record<Method, RequestHandler>>>;

/**
 * Mounts every route, and for every path what answers the methods it does not have.
 *
 * @param otherMethods told the methods of the path, as `Allow` names them
 */
export function mountRoutes(
  router: Router,
  table: RouteTable,
  otherMethods: (allowed: readonly string[]) => RequestHandler,
): void {
  for (const [path, handlers] of Object.entries(table)) {
    const route = router.route(path);
    for (const [method, handler] of Object.entries(handlers)) route[method as Method](handler);
    route.all(otherMethods(allowedBy(handlers)));
  }
}

/** `OPTIONS` asks what is allowed, and is told; every other method gets a 405 that says the same. */
export function rejectMethod(allowed: readonly string[]): RequestHandler {
  return (request, response) => {
    if (request.method !== 'OPTIONS') throw methodNotAllowed(request.method, allowed);
    response.setHeader('Allow', allowed.join(', '));
    response.status(204).end();
  };
}

export function methodNotAllowed(method: string, allowed: readonly string[]): DomainError {
  const list = allowed.join(', ');
  return new DomainError(
    'method_not_allowed',
    `${method} is not possible here; use ${list}.`,
    {},
    {
      allowedMethods: allowed,
    },
  );
}

/** Express answers `HEAD` where it has a `GET`. */
function allowedBy(handlers: RouteTable[string]): string[] {
  const methods = Object.keys(handlers).map((method) => method.toUpperCase());
  return methods.includes('GET') ? ['HEAD', ...methods].sort() : methods.sort();
}
