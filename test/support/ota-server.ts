/**
 * Runs the activated plugin on a fake host, and drives it over HTTP as admins and devices do. Each
 * {@link Fleet} is an organization of its own, so tests can share a database.
 */
import { expect } from 'chai';
import type { Knex } from 'knex';

import type {
  CreateDeploymentRequest,
  CreatedDeployment,
  DeploymentDetail,
  DeploymentEvent,
  EventPage,
  TargetPage,
  TargetView,
} from '../../backend/contract/admin-api.ts';
import type { CheckUpdateResponse, StatusReport } from '../../backend/contract/device-api.ts';
import type { ReportedStatus } from '../../backend/contract/states.ts';
import type { ActivePlugin, HostRole } from '../../backend/host-contract.ts';
import { activate } from '../../backend/plugin.ts';
import type { PluginEvent } from '../../backend/server/host/host-context.ts';
import { createEarlierTables, type EarlierTables } from './earlier-release/earlier-release.ts';
import { createFakeHost, type DeviceEntry, type FakeHost } from './fake-host.ts';
import {
  insertDevices,
  insertOrganization,
  insertUser,
  type DeviceSeed,
  type SeededDevice,
  type SeededUser,
} from './seed.ts';
import { createTestDatabase, type TestDatabase } from './test-database.ts';
import { waitFor } from '../../dev/wait-for.ts';

export const ADMIN_API = '/api/v1/admin/ota';
export const DEVICE_API = '/api/v1/ota';
export const CHECKSUM = 'a3'.repeat(32);

export interface OtaOptions {
  role?: HostRole;
  config?: Record<string, unknown>;
  redisUrl?: string | null;
  entry?: DeviceEntry;
  /** Deployment tables that exist before the plugin is activated; default none. */
  tables?: EarlierTables;
}

/** A server with the product and its database. */
export interface OtaServer {
  database: TestDatabase;
  knex: Knex;
  host: FakeHost;
  plugin: ActivePlugin;
  close(): Promise<void>;
}

/** Starts a server with a database of its own. */
export async function startOta(options: OtaOptions = {}): Promise<OtaServer> {
  const database = await createTestDatabase(options.tables ? { schema: 'host' } : {});
  if (options.tables) await createEarlierTables(database.knex, options.tables);
  const server = await startServer(database.knex, options);
  return {
    database,
    knex: database.knex,
    ...server,
    async close() {
      await server.close();
      await database.drop();
    },
  };
}

/** Starts another server on an existing database. */
export async function startServer(
  knex: Knex,
  options: OtaOptions = {},
): Promise<Pick<OtaServer, 'host' | 'plugin' | 'close'>> {
  const host = await createFakeHost({ knex, ...options });
  const plugin = await activate(host.context);
  return {
    host,
    plugin,
    async close() {
      await plugin.deactivate();
      await host.close();
    },
  };
}

/** Row counts of the tables that a creation fills, to show that nothing was created. */
export async function creationRowCounts(knex: Knex): Promise<Record<string, string>> {
  const { rows } = await knex.raw<{ rows: [Record<string, string>] }>(
    `SELECT (SELECT count(*) FROM ota_deployments) AS deployments,
            (SELECT count(*) FROM ota_deployment_devices) AS targets,
            (SELECT count(*) FROM ota_deployment_batches) AS batches,
            (SELECT count(*) FROM ota_events) AS events`,
  );
  return rows[0];
}

/** A body that creates an immediate deployment of v2.1.0 to all devices. */
export function deploymentRequest(
  request: Partial<CreateDeploymentRequest> = {},
): CreateDeploymentRequest {
  return {
    deployment_name: 'Firmware Update v2.1.0',
    target_version: 'v2.1.0',
    rollout_strategy: 'immediate',
    update_package_url: 'https://cdn.example.com/updates/v2.1.0.tar.gz',
    checksum: `sha256:${CHECKSUM}`,
    release_notes: 'Bug fixes and performance improvements',
    ...request,
  };
}

/** Creates an organization with an admin and `count` devices. */
export async function createFleet(
  ota: Pick<OtaServer, 'knex' | 'host'>,
  count: number,
  seed: Omit<DeviceSeed, 'organizationId'> = {},
): Promise<Fleet> {
  const organizationId = await insertOrganization(ota.knex);
  const admin = await insertUser(ota.knex, { organizationId, name: 'Fleet admin' });
  const fleet = new Fleet(ota.knex, ota.host, admin);
  if (count > 0) await fleet.addDevices(count, seed);
  return fleet;
}

export class Fleet {
  readonly knex: Knex;
  readonly host: FakeHost;
  readonly admin: SeededUser;
  readonly devices: SeededDevice[] = [];

  constructor(knex: Knex, host: FakeHost, admin: SeededUser) {
    this.knex = knex;
    this.host = host;
    this.admin = admin;
  }

  get organizationId(): string {
    return this.admin.organizationId;
  }

  /** The first device. */
  get device(): SeededDevice {
    return this.devices[0] as SeededDevice;
  }

  deviceById(id: string): SeededDevice {
    return this.devices.find((device) => device.id === id) as SeededDevice;
  }

  /** The same fleet, used through another server. */
  through(host: FakeHost): Fleet {
    const fleet = new Fleet(this.knex, host, this.admin);
    fleet.devices.push(...this.devices);
    return fleet;
  }

  async addDevices(
    count: number,
    seed: Omit<DeviceSeed, 'organizationId'> = {},
  ): Promise<SeededDevice[]> {
    const { organizationId } = this;
    const added = await insertDevices(this.knex, count, { ...seed, organizationId });
    this.devices.push(...added);
    return added;
  }

  /** An admin request. `path` is below the admin API. */
  get(path: string) {
    return this.host.as(this.admin).get(`${ADMIN_API}${path}`);
  }

  post(path: string, body: object = {}) {
    return this.host.as(this.admin).post(`${ADMIN_API}${path}`).send(body);
  }

  async create(request: Partial<CreateDeploymentRequest> = {}): Promise<CreatedDeployment> {
    const answer = await this.post('/deployments', deploymentRequest(request));
    expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
    return answer.body as CreatedDeployment;
  }

  /** Creates and starts a deployment, and waits until its first batch is released. Returns its id. */
  async rollOut(request: Partial<CreateDeploymentRequest> = {}): Promise<string> {
    const { deployment_id: id } = await this.create(request);
    await this.act(id, 'start');
    const { batches } = await this.detail(id);
    await this.untilReleased(id, batches[0]?.size ?? 0);
    return id;
  }

  /** Performs an action that must succeed. Returns the deployment. */
  async act(id: string, action: string, body: object = {}): Promise<DeploymentDetail> {
    const answer = await this.post(`/deployments/${id}/${action}`, body);
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    return answer.body as DeploymentDetail;
  }

  async detail(id: string): Promise<DeploymentDetail> {
    const answer = await this.get(`/deployments/${id}`).expect(200);
    return answer.body as DeploymentDetail;
  }

  /** The detail without the forecast, which changes by itself. */
  async storedDetail(id: string): Promise<Omit<DeploymentDetail, 'forecast'>> {
    const { forecast: _, ...stored } = await this.detail(id);
    return stored;
  }

  async targets(id: string, query = ''): Promise<TargetView[]> {
    const answer = await this.get(`/deployments/${id}/devices?limit=500&${query}`).expect(200);
    return (answer.body as TargetPage).devices;
  }

  async target(id: string, device: SeededDevice): Promise<TargetView> {
    const targets = await this.targets(id);
    return targets.find((target) => target.device_id === device.id) as TargetView;
  }

  /** The devices of a batch, in the order of the plan. */
  async batch(id: string, number: number): Promise<SeededDevice[]> {
    const targets = await this.targets(id, `batch=${number}`);
    return targets.map((target) => this.deviceById(target.device_id));
  }

  async events(id: string): Promise<DeploymentEvent[]> {
    const answer = await this.get(`/deployments/${id}/events`).expect(200);
    return (answer.body as EventPage).events;
  }

  async eventTypes(id: string): Promise<string[]> {
    return (await this.events(id)).map((event) => event.type).reverse();
  }

  /** The plugin's notices about a deployment, oldest first. */
  notices(id: string): PluginEvent[] {
    return this.host.notices.filter(({ payload }) => payload['deployment_id'] === id);
  }

  /**
   * @param version the version that the device reports, if any
   * @param profile other values of the query
   */
  async poll(
    device: SeededDevice,
    version?: string,
    profile: { protection?: string; components?: string } = {},
  ): Promise<CheckUpdateResponse> {
    const current = version === undefined ? {} : { current_version: version };
    const answer = await this.host
      .as(device)
      .get(`${DEVICE_API}/check-update`)
      .query({ device_id: device.id, ...current, ...profile })
      .expect(200);
    return answer.body as CheckUpdateResponse;
  }

  /** The id of the deployment that the device is offered, or `null`. */
  async offered(device: SeededDevice): Promise<string | null> {
    const answer = await this.poll(device);
    return answer.update_available ? answer.deployment_id : null;
  }

  report(device: SeededDevice, id: string, report: ReportedStatus | StatusReport) {
    return this.host
      .as(device)
      .post(`${DEVICE_API}/deployments/${id}/status`)
      .query({ device_id: device.id })
      .send(typeof report === 'string' ? { status: report } : report);
  }

  /** Sends reports one after the other, which must all be accepted. */
  async reports(
    device: SeededDevice,
    id: string,
    ...sequence: (ReportedStatus | StatusReport)[]
  ): Promise<void> {
    for (const report of sequence) {
      const answer = await this.report(device, id, report);
      expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    }
  }

  /** Sends the same report from many devices at once. */
  async reportAll(devices: SeededDevice[], id: string, report: ReportedStatus): Promise<void> {
    await Promise.all(devices.map((device) => this.reports(device, id, report)));
  }

  async installedVersion(device: SeededDevice): Promise<string | null> {
    const row = await this.knex('edge_devices')
      .where({ id: device.id })
      .first<{ firmware_version: string | null }>('firmware_version');
    return row.firmware_version;
  }

  /** Waits until the deployment meets the condition. Returns it. */
  async until(
    id: string,
    condition: (deployment: DeploymentDetail) => boolean,
    options: { timeout?: number } = {},
  ): Promise<DeploymentDetail> {
    let last: DeploymentDetail | undefined;
    return waitFor(
      async () => {
        last = await this.detail(id);
        return condition(last) ? last : null;
      },
      {
        ...options,
        describe: () =>
          `the deployment meets ${condition.toString()}; it is ${last?.status ?? 'unread'}, ` +
          `released ${last?.released_devices}, ${JSON.stringify(last?.progress)}`,
      },
    );
  }

  untilReleased(
    id: string,
    devices: number,
    options: { timeout?: number } = {},
  ): Promise<DeploymentDetail> {
    return this.until(id, (deployment) => deployment.released_devices >= devices, options);
  }
}
