/** Ops-Center with the plugin as it is shipped, that can go away and come back, and devices that report. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { pino } from 'pino';
import type { CheckUpdateResponse } from '../../backend/contract/device-api.ts';
import type { ReportedStatus } from '../../backend/contract/states.ts';
import { type RunningHost, startHost } from '../../dev/host/host.ts';
import { type SeededDevice, insertDevices } from './seed.ts';
import { type TestDatabase, createTestDatabase } from './test-database.ts';
import { waitFor } from '../../dev/wait-for.ts';
import { ROOT } from './ota-program.ts';

export const ADMIN_TOKEN = 'admin-token-of-the-pipeline';

export class RolloutHost {
  readonly database: TestDatabase;
  readonly #pluginConfig: object;
  #host: RunningHost | null = null;
  #port = 0;
  #types = 0;

  private constructor(database: TestDatabase, pluginConfig: object) {
    this.database = database;
    this.#pluginConfig = pluginConfig;
  }

  static async start(pluginConfig: object = {}): Promise<RolloutHost> {
    if (!existsSync(path.join(ROOT, 'dist', 'backend'))) {
      throw new Error('dist is missing: run "npm run build".');
    }
    const host = new RolloutHost(await createTestDatabase(), pluginConfig);
    await host.comeBack();
    return host;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async goAway(): Promise<void> {
    await this.#host?.stop();
    this.#host = null;
  }

  /** On the same port as before. */
  async comeBack(): Promise<void> {
    this.#host = await startHost({
      role: 'all',
      logger: pino({ level: 'silent' }),
      databaseUrl: this.database.connectionString,
      pluginRoot: ROOT,
      pluginConfig: {
        allow_insecure_loopback_packages: true,
        poll_interval_seconds: 1,
        device_requests_per_minute: 100_000,
        ...this.#pluginConfig,
      },
      port: this.#port,
      listen: '127.0.0.1',
      adminToken: ADMIN_TOKEN,
    });
    if (!this.#host.pluginActive) throw new Error('the plugin is broken');
    this.#port = Number(new URL(this.#host.url).port);
  }

  async stop(): Promise<void> {
    await this.goAway();
    await this.database.drop();
  }

  /** Devices of a type that no others have, unless one is given. */
  async devices(
    count: number,
    type = `type-${++this.#types}`,
  ): Promise<{ type: string; devices: SeededDevice[] }> {
    const admin = await this.database.knex('users').first<{ organization_id: string }>();
    const organizationId = admin.organization_id;
    const devices = await insertDevices(this.database.knex, count, {
      organizationId,
      deviceType: type,
      namePrefix: type,
    });
    return { type, devices };
  }

  /** The devices among these that are offered the deployment, as soon as there are `count` of them. */
  async offered(devices: SeededDevice[], id: string, count: number): Promise<SeededDevice[]> {
    return waitFor(
      async () => {
        const offers = await Promise.all(devices.map((device) => this.#poll(device)));
        const found = devices.filter((_, index) => offers[index] === id);
        return found.length === count ? found : null;
      },
      { timeout: 15_000, describe: `${count} devices are offered ${id}` },
    );
  }

  /** @param query what the device reports with its poll */
  async poll(device: SeededDevice, query: Record<string, string>): Promise<void> {
    const answer = await this.#device(device, '/api/v1/ota/check-update', undefined, query);
    if (!answer.ok) throw new Error(`the poll was answered ${answer.status}`);
  }

  async report(
    device: SeededDevice,
    id: string,
    status: ReportedStatus,
    error_message: string | null = null,
  ): Promise<void> {
    const path_ = `/api/v1/ota/deployments/${id}/status`;
    const answer = await this.#device(device, path_, { status, error_message });
    if (!answer.ok) throw new Error(`${status} was answered ${answer.status}`);
  }

  async act(id: string, action: string): Promise<void> {
    const answer = await fetch(`${this.url}/api/v1/admin/ota/deployments/${id}/${action}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    if (!answer.ok) throw new Error(`${action} was answered ${answer.status}`);
  }

  async deployments(): Promise<{ deployment_id: string; status: string }[]> {
    const answer = await fetch(`${this.url}/api/v1/admin/ota/deployments?page_size=100`, {
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    return ((await answer.json()) as { deployments: { deployment_id: string; status: string }[] })
      .deployments;
  }

  async #poll(device: SeededDevice): Promise<string | null> {
    const answer = await this.#device(device, '/api/v1/ota/check-update');
    const body = (await answer.json()) as CheckUpdateResponse;
    return body.update_available ? body.deployment_id : null;
  }

  #device(
    device: SeededDevice,
    path_: string,
    body?: object,
    query: Record<string, string> = {},
  ): Promise<Response> {
    const search = new URLSearchParams({ device_id: device.id, ...query });
    return fetch(`${this.url}${path_}?${search.toString()}`, {
      headers: {
        authorization: `Bearer ${device.token}`,
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    });
  }
}
