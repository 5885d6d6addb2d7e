/** An installation with the tables and rows of an earlier release, on which the plugin is activated. */
import { expect } from 'chai';

import type { DeploymentDetail, StatusBreakdown } from '../../../backend/contract/admin-api.ts';
import type { CheckUpdateResponse, StatusResponse } from '../../../backend/contract/device-api.ts';
import { TARGET_STATUSES, type TargetStatus } from '../../../backend/contract/states.ts';
import type { ActivePlugin, HostRole } from '../../../backend/host-contract.ts';
import { activate } from '../../../backend/plugin.ts';
import { createFakeHost, type FakeHost } from '../../support/fake-host.ts';
import { ADMIN_API, DEVICE_API } from '../../support/ota-server.ts';
import type { SeededDevice } from '../../support/seed.ts';
import { createTestDatabase, type TestDatabase } from '../../support/test-database.ts';
import {
  createEarlierTables,
  insertEarlierRows,
  type EarlierDeployment,
  type EarlierRollouts,
  type EarlierTables,
} from '../../support/earlier-release/earlier-release.ts';

export const UNFINISHED: readonly TargetStatus[] = [
  'pending',
  'downloading',
  'installing',
  'verifying',
];

export class UpgradedInstallation {
  readonly database: TestDatabase;
  readonly host: FakeHost;
  readonly rollouts: EarlierRollouts;
  readonly #timeZone = process.env.TZ;
  #plugins: { plugin: ActivePlugin; host: FakeHost }[] = [];

  private constructor(database: TestDatabase, host: FakeHost, rollouts: EarlierRollouts) {
    this.database = database;
    this.host = host;
    this.rollouts = rollouts;
    // Times without a zone are read in the time zone of the process.
    process.env.TZ = 'UTC';
  }

  /** Does not migrate. {@link activate} does. */
  static async open(variant: EarlierTables): Promise<UpgradedInstallation> {
    const database = await createTestDatabase({ schema: 'host' });
    const host = await createFakeHost({ knex: database.knex, role: 'api' });
    await createEarlierTables(database.knex, variant);
    const owner = { organizationId: host.organizationId, userId: host.admin.id };
    return new UpgradedInstallation(
      database,
      host,
      await insertEarlierRows(database.knex, variant, owner),
    );
  }

  /** Each role gets a host of its own. Requests go to the `api` host. */
  async activate(role: HostRole): Promise<void> {
    const host =
      role === 'api'
        ? this.host
        : await createFakeHost({
            knex: this.database.knex,
            role,
            config: { timeout_sweep_seconds: 1, reconcile_seconds: 1 },
          });
    this.#plugins.push({ host, plugin: await activate(host.context) });
  }

  async deactivate(): Promise<void> {
    for (const { plugin, host } of this.#plugins.splice(0).reverse()) {
      await plugin.deactivate();
      if (host !== this.host) await host.close();
    }
  }

  async close(): Promise<void> {
    await this.deactivate();
    await this.host.close();
    await this.database.drop();
    if (this.#timeZone === undefined) delete process.env.TZ;
    else process.env.TZ = this.#timeZone;
  }

  async get<T>(path: string): Promise<T> {
    const answer = await this.host.as(this.host.admin).get(`${ADMIN_API}${path}`);
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    return answer.body as T;
  }

  detail({ id }: EarlierDeployment): Promise<DeploymentDetail> {
    return this.get(`/deployments/${id}`);
  }

  async act({ id }: EarlierDeployment, action: string): Promise<DeploymentDetail> {
    const answer = await this.host
      .as(this.host.admin)
      .post(`${ADMIN_API}/deployments/${id}/${action}`);
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    return answer.body as DeploymentDetail;
  }

  async poll(device: SeededDevice): Promise<CheckUpdateResponse> {
    const answer = await this.host
      .as(device)
      .get(`${DEVICE_API}/check-update?device_id=${device.id}`)
      .expect(200);
    return answer.body as CheckUpdateResponse;
  }

  async report(
    { id }: EarlierDeployment,
    device: SeededDevice,
    status: string,
  ): Promise<StatusResponse> {
    const answer = await this.host
      .as(device)
      .post(`${DEVICE_API}/deployments/${id}/status?device_id=${device.id}`)
      .send({ status, error_message: null });
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    return answer.body as StatusResponse;
  }

  /** Every unfinished device is offered the update and completes it. */
  async completeAll(deployment: EarlierDeployment): Promise<void> {
    for (const device of devicesAt(deployment, ...UNFINISHED)) {
      const offer = await this.poll(device);
      expect(offer, deployment.name).to.include({
        update_available: true,
        deployment_id: deployment.id,
      });
      await this.report(deployment, device, 'completed');
    }
  }
}

export function devicesAt(
  { targets }: EarlierDeployment,
  ...statuses: TargetStatus[]
): SeededDevice[] {
  return targets.filter(({ status }) => statuses.includes(status)).map(({ device }) => device);
}

export function breakdownOf({ targets }: EarlierDeployment): StatusBreakdown {
  return Object.fromEntries(
    TARGET_STATUSES.map((status) => [
      status,
      targets.filter((target) => target.status === status).length,
    ]),
  ) as StatusBreakdown;
}

/** The share of completed targets, rounded as in the API. */
export function percentageOf(deployment: EarlierDeployment): number {
  const { length } = deployment.targets;
  const { completed } = breakdownOf(deployment);
  return length === 0 ? 0 : Math.round((completed / length) * 1_000) / 10;
}
