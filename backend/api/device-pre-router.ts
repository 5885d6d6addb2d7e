import type { AheadListener } from '../host-contract.ts';
import type { DeviceGateway, DeviceRoute } from './device-gateway.ts';

interface Matcher {
  route: DeviceRoute;
  /** Path before and after the id; `after: null`: no id in it. */
  before: string;
  after: string | null;
}

const ID_LENGTH = 36;

/**
 * The same routes for a host that asks before Express does: for polls and reports, Express costs more
 * than everything else together. Takes only addresses written exactly as agents write them; every
 * other one goes on to Express, which knows all ways to write a path, and gets the same answers there.
 */
export function createDevicePreRouter(
  routes: readonly DeviceRoute[],
  door: DeviceGateway,
): AheadListener {
  const matchers = routes.map(matcherOf);
  return (path, request, response) => {
    for (const { route, before, after } of matchers) {
      if (request.method !== route.method) continue;
      const id = after === null ? isExactly(path, before) : idBetween(path, before, after);
      if (id === null) continue;
      void door.serve(route, id, request, response);
      return true;
    }
    return false;
  };
}

function matcherOf(route: DeviceRoute): Matcher {
  const [before = '', after] = route.path.split(':id');
  return { route, before, after: after ?? null };
}

function isExactly(path: string, before: string): '' | null {
  return path.startsWith(before) && endsAt(path, before.length) ? '' : null;
}

function idBetween(path: string, before: string, after: string): string | null {
  const from = before.length;
  const to = from + ID_LENGTH;
  if (!path.startsWith(before) || !path.startsWith(after, to)) return null;
  if (!endsAt(path, to + after.length)) return null;
  const id = path.slice(from, to);
  return /^[\w-]+$/.test(id) ? id : null;
}

function endsAt(path: string, length: number): boolean {
  return path.length === length || path[length] === '?';
}
