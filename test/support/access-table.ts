/** The routes of the product, and what each answers to whom. */
import { ADMIN_API, DEVICE_API, deploymentRequest } from './ota-server.ts';

export type Area = 'admin' | 'device';

export interface Route {
  method: 'get' | 'post' | 'delete';
  /** `:id` and `:device_id` are placeholders. */
  path: string;
  body?: object;
}

export const ADMIN_ROUTES: Route[] = [
  { method: 'get', path: '/deployments' },
  { method: 'post', path: '/deployments', body: deploymentRequest() },
  { method: 'post', path: '/deployments/preview', body: deploymentRequest() },
  { method: 'post', path: '/deployments/impact', body: deploymentRequest() },
  { method: 'get', path: '/deployments/:id' },
  { method: 'get', path: '/deployments/:id/impact' },
  { method: 'get', path: '/deployments/:id/devices' },
  { method: 'post', path: '/deployments/:id/start' },
  { method: 'post', path: '/deployments/:id/pause' },
  { method: 'post', path: '/deployments/:id/resume' },
  { method: 'post', path: '/deployments/:id/cancel' },
  { method: 'post', path: '/deployments/:id/expand' },
  { method: 'post', path: '/deployments/:id/retry' },
  { method: 'post', path: '/deployments/:id/devices/:device_id/rollback' },
  { method: 'delete', path: '/deployments/:id/devices/:device_id/rollback' },
  { method: 'get', path: '/deployments/:id/devices/:device_id/logs' },
  { method: 'get', path: '/deployments/:id/events' },
  { method: 'get', path: '/deployments/:id/stream' },
  { method: 'get', path: '/stream' },
  { method: 'get', path: '/devices' },
  { method: 'get', path: '/devices/:device_id/explanation' },
  { method: 'get', path: '/devices/:device_id/explanation?deployment_id=:id' },
  { method: 'get', path: '/devices/:device_id' },
  { method: 'get', path: '/devices/:device_id/history' },
  { method: 'get', path: '/metrics' },
  { method: 'get', path: '/metrics?deployment_id=:id' },
  { method: 'get', path: '/openapi.json' },
];

/** Routes of one deployment or one device. */
export const ADMIN_ROUTES_WITH_ID = ADMIN_ROUTES.filter(({ path }) => /:(device_)?id/.test(path));

export const DEVICE_ROUTES: Route[] = [
  { method: 'get', path: '/check-update?device_id=:device_id' },
  {
    method: 'post',
    path: '/deployments/:id/status?device_id=:device_id',
    body: { status: 'completed' },
  },
  {
    method: 'post',
    path: '/deployments/:id/logs?device_id=:device_id',
    body: { attempt: 1, chunk: 'x' },
  },
];

export const ROUTES: Record<Area, { base: string; routes: Route[] }> = {
  admin: { base: ADMIN_API, routes: ADMIN_ROUTES },
  device: { base: DEVICE_API, routes: DEVICE_ROUTES },
};

/** Collects what each route answers to each caller, and prints it. */
export class AccessTable {
  /** Area → route → caller → status. */
  readonly #statuses: Record<Area, Map<string, Map<string, number>>> = {
    admin: new Map(),
    device: new Map(),
  };

  record(area: Area, { method, path }: Route, who: string, status: number): void {
    const route = `${method.toUpperCase()} ${path.split('?')[0]}`;
    const row = this.#statuses[area].get(route) ?? new Map<string, number>();
    this.#statuses[area].set(route, row.set(who, status));
  }

  print(): void {
    for (const area of ['admin', 'device'] as const) console.log(this.#tableOf(area));
  }

  #tableOf(area: Area): string {
    const rows = [...this.#statuses[area]];
    const callers = [...new Set(rows.flatMap(([, row]) => [...row.keys()]))];
    const legend = callers.map((who, index) => `      ${index + 1} ${who}`);
    const lines = rows.map(([route, row]) =>
      [
        '     ',
        route.padEnd(52),
        ...callers.map((who) => String(row.get(who) ?? '–').padStart(4)),
      ].join(' '),
    );
    const head = ['     ', ROUTES[area].base.padEnd(52)];
    return [
      '',
      [...head, ...callers.map((_, index) => String(index + 1).padStart(4))].join(' '),
      ...lines,
      ...legend,
    ].join('\n');
  }
}
