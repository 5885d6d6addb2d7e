/**
 * The contract between Ops-Center (the host) and a plugin, `apiVersion` 1. Types only: the plugin never
 * imports the host, and the host only imports `activate` from the plugin.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, Router } from 'express';
import type { Redis } from 'ioredis';
import type { Knex } from 'knex';
import type { Logger } from 'pino';

/** What this process runs: `api`: routes and page; `worker`: jobs and periodic work; `all`: both. */
export type HostRole = 'api' | 'worker' | 'all';

/** The authenticated user of a request. The host decides who is an admin. */
export interface AdminIdentity {
  userId: string;
  name: string | null;
  organizationId: string;
  /** False: authenticated, but not an admin; the plugin answers with 403. */
  isAdmin: boolean;
}

/** The device a bearer token belongs to. */
export interface DeviceIdentity {
  /** `edge_devices.id` */
  deviceId: string;
  organizationId: string;
}

/**
 * An entry in the Ops-Center navigation and its page. The module exports `routes`, which the host adds to its router.
 *
 * The host may be served below a path prefix, e.g. `/ops`: then it creates its router with that base
 * (`createWebHistory('/ops')`), and the page prepends `router.options.history.base` to the paths of its API requests.
 * Paths in routes and in this interface never contain the prefix. A browser that opens an address of the page
 * without a session is sent to the host's sign-in page, and back afterwards.
 */
export interface NavigationPage {
  id: string;
  title: string;
  icon: string;
  /** Navigation section of the entry, e.g. `Edge`. */
  section: string;
  /**
   * Route prefix of the page in the Ops-Center front end. Names below it that begin with `_` belong to the host, such
   * as `/admin/edge/ota/_shell`.
   */
  path: string;
  /** Absolute path of the ES module that the host serves and imports. */
  module: string;
  /** Absolute path of the page's style sheet. */
  style: string;
  permission: string;
}

/**
 * Handles a request before Express does. Must not touch the request or response unless it handles them.
 *
 * @param path path and query below the area's prefix, e.g. `/check-update?device_id=…`
 * @returns whether it handles the request
 */
export type PreRouterHandler = (
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
) => boolean;

export interface HostContext {
  role: HostRole;
  logger: Logger;
  /** The plugin's section of the host's configuration; the plugin validates it. */
  config: unknown;
  database: { knex: Knex };
  /**
   * Present if the host offers Redis. `connect` opens a connection that the plugin owns and closes.
   * `worker` connections retry forever (`maxRetriesPerRequest: null`); `producer` connections fail fast.
   */
  redis?: { connect(role: 'producer' | 'worker'): Redis };
  http: {
    /**
     * Mounts the router under `/api/v1/admin/ota` or `/api/v1/ota` and returns a function that unmounts it.
     * Routers run in the order they were mounted. While no router is mounted (the host is starting or
     * stopping, or activation failed), the host must answer 503 with `Retry-After`, never 404,
     * which devices could take for a final answer.
     */
    mount(area: 'admin' | 'device', router: Router): () => void;
    /**
     * Optional, for speed only (docs/scaling.md): the host calls the handler for every request below the
     * area's prefix before Express. Requests that the handler does not handle go to the mounted router.
     * Returns a function that removes the handler.
     */
    preRouter?(area: 'device', handler: PreRouterHandler): () => void;
  };
  auth: {
    /** `null`: no valid session or token. Rejects only if the check itself failed; the plugin then answers with 503. */
    admin(request: Request): Promise<AdminIdentity | null>;
    /**
     * `null`: no valid token. Takes Node.js's own request, which may not have passed through Express. Called for every
     * poll, so requests that arrive within some milliseconds should share a query (docs/scaling.md).
     */
    device(request: IncomingMessage): Promise<DeviceIdentity | null>;
  };
  navigation: { addPage(page: NavigationPage): () => void };
  /**
   * Events for other parts of Ops-Center: `ota.deployment.completed`, `ota.deployment.failed` and
   * `ota.deployment.paused` (by the failure threshold). Each is emitted after its transaction commits, with
   * `deployment_id`, `organization_id` and `deployment_name`.
   */
  events: { emit(name: string, payload: Record<string, unknown>): void };
  lifecycle: {
    /** The host calls the callback once, before it stops. Returns a function that removes it. */
    onShutdown(callback: () => Promise<void>): () => void;
  };
}

/** Whether the plugin can work now, by check: `database`, `queue`, `migrations`. */
export interface PluginHealth {
  healthy: boolean;
  checks: Record<string, { healthy: boolean; detail?: string }>;
}

export interface ActivePlugin {
  health(): Promise<PluginHealth>;
  /**
   * Metrics of this process in the Prometheus text format 0.0.4 (docs/monitoring.md). They cover all
   * organizations, so the host must only expose them to its own monitoring.
   */
  metrics(): Promise<string>;
  /** Removes every route, page, timer, worker and connection. Idempotent. */
  deactivate(): Promise<void>;
}

export type Activate = (host: HostContext) => Promise<ActivePlugin>;
