/** The context that a host gives the plugin, and the host's side of it. */
import { EventEmitter } from 'node:events';

import type { Knex } from 'knex';
import type { Logger } from 'pino';

import type { HostContext, HostRole } from '../../host-contract.ts';
import { MountPoint } from './mounts.ts';
import { NavigationPages } from './navigation-pages.ts';
import { PreRouter } from './pre-router.ts';
import { redisConnections } from './redis-connections.ts';

export const AREA_PATHS = { admin: '/api/v1/admin/ota', device: '/api/v1/ota' } as const;

/** An event that the plugin emitted with `events.emit`. */
export interface PluginEvent {
  name: string;
  payload: Record<string, unknown>;
}

export interface HostOptions {
  role: HostRole;
  logger: Logger;
  knex: Knex;
  auth: HostContext['auth'];
  /** The plugin's section of the host's configuration. */
  pluginConfig: unknown;
  redisUrl?: string | undefined;
  /** Whether to offer `http.preRouter`; default true. */
  preRouter?: boolean | undefined;
}

export interface HostServices {
  context: HostContext;
  areas: Record<'admin' | 'device', MountPoint>;
  /** Of the device area. */
  preRouter: PreRouter;
  pages: NavigationPages;
  events: EventEmitter<{ event: [PluginEvent] }>;
  /** Runs the plugins' shutdown callbacks; logs those that fail. */
  runShutdownCallbacks(): Promise<void>;
}

export function createHostServices(options: HostOptions): HostServices {
  const { knex, logger } = options;
  const areas = { admin: new MountPoint(), device: new MountPoint() };
  const preRouter = new PreRouter(AREA_PATHS.device);
  const pages = new NavigationPages();
  const events = new EventEmitter<{ event: [PluginEvent] }>();
  const shutdownCallbacks = new Set<{ callback: () => Promise<void> }>();
  const context: HostContext = {
    role: options.role,
    logger: logger.child({ plugin: 'ota' }),
    config: options.pluginConfig,
    database: { knex },
    ...(options.redisUrl ? { redis: redisConnections(options.redisUrl, logger) } : {}),
    http: {
      mount: (area, router) => areas[area].mount(router),
      ...((options.preRouter ?? true) && {
        preRouter: (_area, handler) => preRouter.add(handler),
      }),
    },
    auth: options.auth,
    navigation: { addPage: (page) => pages.add(page) },
    events: { emit: (name, payload) => void events.emit('event', { name, payload }) },
    lifecycle: {
      onShutdown(callback) {
        const entry = { callback };
        shutdownCallbacks.add(entry);
        return () => void shutdownCallbacks.delete(entry);
      },
    },
  };
  return {
    context,
    areas,
    preRouter,
    pages,
    events,
    async runShutdownCallbacks() {
      const callbacks = [...shutdownCallbacks];
      shutdownCallbacks.clear();
      const outcomes = await Promise.allSettled(callbacks.map(({ callback }) => callback()));
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') {
          logger.error({ err: outcome.reason as unknown }, 'A shutdown callback failed');
        }
      }
    },
  };
}
