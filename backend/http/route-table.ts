import type { RequestHandler, Router } from 'express';
import { DomainError } from '../kernel/errors.ts';

type Method = 'get' | 'post' | 'delete';

/** Handlers by path and method. List a path without parameters before a path with parameters that also matches it. */
export type RouteTable = Record<string, Partial<Record<Method, RequestHandler>>>;

/**
 * Mounts all routes, and a handler for the other methods of each path.
 *
 * @param otherMethods creates that handler from the methods of the path, as listed in `Allow`
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

/** Responds to `OPTIONS` with `Allow`, and to every other method with a 405 that lists the allowed methods. */
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
    `This path does not support ${method}; use ${list}.`,
    {},
    {
      allowedMethods: allowed,
    },
  );
}

/** Express also responds to `HEAD` if there is a `GET`. */
function allowedBy(handlers: RouteTable[string]): string[] {
  const methods = Object.keys(handlers).map((method) => method.toUpperCase());
  return methods.includes('GET') ? ['HEAD', ...methods].sort() : methods.sort();
}
