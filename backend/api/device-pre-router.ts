import type { PreRouterHandler } from '../host-contract.ts';
import type { DeviceGateway, DeviceRoute } from './device-gateway.ts';

interface Matcher {
  route: DeviceRoute;
  /** The path before and after the id; `suffix: null`: the path has no id. */
  prefix: string;
  suffix: string | null;
}

const ID_LENGTH = 36;

/**
 * Routes device requests before Express does, for hosts that support it: for polls and reports, Express costs more
 * than everything else together (docs/decisions/devices-ahead-of-express.md). Matches only paths written exactly as
 * agents write them. All others are left to Express, which handles every spelling of a path and responds the same.
 */
export function createDevicePreRouter(
  routes: readonly DeviceRoute[],
  gateway: DeviceGateway,
): PreRouterHandler {
  const matchers = routes.map(matcherOf);
  return (path, request, response) => {
    for (const { route, prefix, suffix } of matchers) {
      if (request.method !== route.method) continue;
      const id = suffix === null ? matchExactly(path, prefix) : matchId(path, prefix, suffix);
      if (id === null) continue;
      void gateway.serve(route, id, request, response);
      return true;
    }
    return false;
  };
}

function matcherOf(route: DeviceRoute): Matcher {
  const [prefix = '', suffix] = route.path.split(':id');
  return { route, prefix, suffix: suffix ?? null };
}

function matchExactly(path: string, expected: string): '' | null {
  return path.startsWith(expected) && endsAt(path, expected.length) ? '' : null;
}

function matchId(path: string, prefix: string, suffix: string): string | null {
  const from = prefix.length;
  const to = from + ID_LENGTH;
  if (!path.startsWith(prefix) || !path.startsWith(suffix, to)) return null;
  if (!endsAt(path, to + suffix.length)) return null;
  const id = path.slice(from, to);
  return /^[\w-]+$/.test(id) ? id : null;
}

/** Whether the path ends at this length; a query may follow. */
function endsAt(path: string, length: number): boolean {
  return path.length === length || path[length] === '?';
}
