/** What the stand-in gives a plugin, and the other ends of it that the host holds. */
import { EventEmitter } from 'node:events';

import type { Knex } from 'knex';
import type { Logger } from 'pino';

import type { HostContext, HostRole } from '../../backend/host-contract.ts';
import { createAdminAuth } from './admin-auth.ts';
import { AheadPoint } from './pre-router.ts';
import { createDeviceAuth } from './device-auth.ts';
import { MountPoint } from './mounts.ts';
import { NavigationPages } from './navigation-pages.ts';
import { redisConnections } from './redis-connections.ts';

export const AREA_PATHS = { admin: '/api/v1/admin/ota', device: '/api/v1/ota' } as const;

export interface HostNotice {
  name: string;
  payload: Record<string, unknown>;
}

export interface HostOptions {
  role: HostRole;
  logger: Logger;
  knex: Knex;
  /** The plugin's section of the host's configuration. */
  pluginConfig: unknown;
  redisUrl?: string | undefined;
  /** Whether plugins may answer ahead of Express; default yes. */
  listenAhead?: boolean | undefined;
}

export interface HostServices {
  context: HostContext;
  areas: Record<'admin' | 'device', MountPoint>;
  /** Of the device area. */
  ahead: AheadPoint;
  pages: NavigationPages;
  notices: EventEmitter<{ notice: [HostNotice] }>;
  /** Calls what plugins asked to be called before the host stops; a failing one stops no other. */
  runShutdownCallbacks(): Promise<void>;
}

export function createHostServices(options: HostOptions): HostServices {
  const { knex, logger } = options;
  const areas = { admin: new MountPoint(), device: new MountPoint() };
  const ahead = new AheadPoint(AREA_PATHS.device);
  const pages = new NavigationPages();
  const notices = new EventEmitter<{ notice: [HostNotice] }>();
  const shutdownCallbacks = new Set<{ callback: () => Promise<void> }>();
  const context: HostContext = {
    role: options.role,
    logger: logger.child({ plugin: 'ota' }),
    config: options.pluginConfig,
    database: { knex },
    ...(options.redisUrl ? { redis: redisConnections(options.redisUrl, logger) } : {}),
    http: {
      mount: (area, router) => areas[area].mount(router),
      ...((options.listenAhead ?? true) && {
        listenAhead: (_area, listener) => ahead.add(listener),
      }),
    },
    auth: { admin: createAdminAuth(knex), device: createDeviceAuth(knex) },
    navigation: { addPage: (page) => pages.add(page) },
    events: { emit: (name, payload) => void notices.emit('notice', { name, payload }) },
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
    ahead,
    pages,
    notices,
    async runShutdownCallbacks() {
      const callbacks = [...shutdownCallbacks];
      shutdownCallbacks.clear();
      const outcomes = await Promise.allSettled(callbacks.map(({ callback }) => callback()));
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') {
          logger.error(
            { err: outcome.reason as unknown },
            'A plugin failed to prepare for the stop',
          );
        }
      }
    },
  };
}
