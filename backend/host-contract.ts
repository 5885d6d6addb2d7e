/**
 * What Ops-Center gives a plugin and gets back, `apiVersion` 1. Types only: the plugin never imports
 * the host, and a host needs nothing of the plugin but `activate`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, Router } from 'express';
import type { Redis } from 'ioredis';
import type { Knex } from 'knex';
import type { Logger } from 'pino';

/** Which part of the plugin this process runs: routes and page, queue processors, or both. */
export type HostRole = 'api' | 'worker' | 'all';

/** The signed-in user of a request. Whether it may administer updates is the host's decision. */
export interface AdminIdentity {
  userId: string;
  name: string | null;
  organizationId: string;
  /** False: known, but not an admin; answered with 403. */
  isAdmin: boolean;
}

/** The device a bearer token belongs to. */
export interface DeviceIdentity {
  /** `edge_devices.id` */
  deviceId: string;
  organizationId: string;
}

/** An entry of the Ops-Center navigation and the page behind it. */
export interface NavigationPage {
  id: string;
  title: string;
  icon: string;
  /** Navigation section the entry stands under, e.g. `Edge`. */
  section: string;
  /** Route prefix of the page in the Ops-Center front end. */
  path: string;
  /** Absolute file path of the ES module the host serves and imports. */
  module: string;
  /** Absolute file path of its style sheet. */
  style: string;
  permission: string;
}

/**
 * Answers a request and says `true`, or leaves it untouched and says `false`.
 *
 * @param path the request's address below the prefix, with its query, e.g. `/check-update?device_id=…`
 */
export type AheadListener = (
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
) => boolean;

export interface HostContext {
  role: HostRole;
  logger: Logger;
  /** The `config` section the operator wrote for this plugin; validated by the plugin. */
  config: unknown;
  database: { knex: Knex };
  /**
   * Present when the host has Redis. `connect` opens a connection that the plugin owns and closes:
   * `worker` connections retry for ever (`maxRetriesPerRequest: null`), `producer` ones fail fast.
   */
  redis?: { connect(role: 'producer' | 'worker'): Redis };
  http: {
    /**
     * Mounts under `/api/v1/admin/ota` or `/api/v1/ota`; the returned function takes it off again. Routers
     * are asked in the order they were mounted. While nothing is mounted there (the host starts or stops,
     * or the plugin could not be activated) the host answers 503 with `Retry-After`, never 404: devices
     * would take that for an answer.
     */
    mount(area: 'admin' | 'device', router: Router): () => void;
    /**
     * Optional: a host that has it asks the listener about every request below the area's prefix
     * before Express sees it. What the listener does not take goes on to the mounted router, so a
     * host without it loses nothing but speed (docs/scaling.md).
     */
    listenAhead?(area: 'device', listener: AheadListener): () => void;
  };
  auth: {
    /** `null`: no valid session or token. Rejects only when the check itself could not be made. */
    admin(request: Request): Promise<AdminIdentity | null>;
    /** The message as Node.js gives it: it may not have come through Express. */
    device(request: IncomingMessage): Promise<DeviceIdentity | null>;
  };
  navigation: { addPage(page: NavigationPage): () => void };
  /**
   * Notices for other parts of Ops-Center: `ota.deployment.completed`, `ota.deployment.failed`,
   * `ota.deployment.paused` (by the failure threshold), each after it is committed, with
   * `deployment_id`, `organization_id`, `deployment_name`.
   */
  events: { emit(name: string, payload: Record<string, unknown>): void };
  lifecycle: {
    /** Called once before the host stops; the returned function withdraws the callback. */
    onShutdown(callback: () => Promise<void>): () => void;
  };
}

/** Whether the plugin can do its work now: `database`, `queue`, `migrations`. */
export interface PluginHealth {
  healthy: boolean;
  checks: Record<string, { healthy: boolean; detail?: string }>;
}

export interface ActivePlugin {
  health(): Promise<PluginHealth>;
  /**
   * Metrics of this process in the Prometheus text format 0.0.4 (docs/monitoring.md). They tell of all
   * organizations together: the host gives them to its own monitoring only.
   */
  metrics(): Promise<string>;
  /** Leaves no route, page, timer, worker or connection behind. May be called more than once. */
  deactivate(): Promise<void>;
}

export type Activate = (host: HostContext) => Promise<ActivePlugin>;
