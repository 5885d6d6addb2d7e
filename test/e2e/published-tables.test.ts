/** The page of an Ops-Center that had deployments of its own before the plugin came. */
import { expect } from 'chai';
import type { DeploymentStatus } from '../../backend/contract/states.ts';
import { DeviceClient } from '../../dev/fleet/device-client.ts';
import { ensureAdmin } from '../../dev/host/users.ts';
import {
  createEarlierTables,
  insertEarlierRows,
  type EarlierRollouts,
} from '../support/earlier-release/earlier-release.ts';
import { act, counts, hasStatus } from './support/detail.ts';
import { OpsCenter, PAGE_ROOT } from './support/ops-center.ts';
import { complete, completeAll, offered } from './support/rollout.ts';
import { createByWizard } from './support/wizard.ts';

const VARIANT = 'published.sql';

/** What the plugin makes of a deployment by itself, as it would of its own. */
const BECAME: Record<string, DeploymentStatus> = {
  'all targets finished': 'completed',
  'in progress without targets': 'completed',
};

const statusName = (status: DeploymentStatus): string =>
  (status.charAt(0).toUpperCase() + status.slice(1)).replace('_', ' ');

describe('page: on the tables of the published Ops-Center', function () {
  this.timeout(60_000);
  let ops: OpsCenter;
  let adopted: EarlierRollouts;

  before(async function () {
    ops = await OpsCenter.open(this, {}, async (knex) => {
      const owner = await ensureAdmin(knex, undefined);
      await createEarlierTables(knex, VARIANT);
      adopted = await insertEarlierRows(knex, VARIANT, owner);
    });
  });
  after(() => ops?.close());

  const devicesOf = (name: keyof EarlierRollouts): DeviceClient[] =>
    adopted[name].targets.map(({ device }) => new DeviceClient(ops.url, device));

  it('G47 lists the existing deployments with their statuses', async () => {
    const page = await ops.signIn();
    for (const { id, name, status } of Object.values(adopted)) {
      const row = page.locator(`[data-deployment="${id}"]`);
      await row.getByRole('link', { name, exact: true }).waitFor();
      await row.getByText(statusName(BECAME[name] ?? status), { exact: true }).waitFor();
    }
  });

  it('G47 resumes a paused deployment until it finishes', async () => {
    const page = await ops.signIn(`${PAGE_ROOT}/${adopted.paused.id}`);
    await hasStatus(page, 'Paused');
    await act(page, 'Resume');
    await completeAll(await offered(devicesOf('paused'), adopted.paused.id, 2), adopted.paused.id);
    await hasStatus(page, 'Completed');
  });

  it('G47 retries devices that failed before the plugin was installed', async () => {
    const { id } = adopted.failed;
    const page = await ops.signIn(`${PAGE_ROOT}/${id}`);
    await hasStatus(page, 'Failed');
    expect(await act(page, 'Retry')).to.include('2 devices');
    const again = await offered(devicesOf('failed'), id, 2);
    for (const device of again) await device.report(id, { status: 'completed', attempt: 2 });
    await counts(page, 'Completed', 3);
    await hasStatus(page, 'Completed');
  });

  for (const strategy of ['Manual', 'Immediate', 'Canary', 'Rolling'] as const) {
    it(`G47 creates and runs a deployment by the wizard: ${strategy.toLowerCase()}`, async () => {
      const namePrefix = `new-${strategy.toLowerCase()}`;
      const deviceType = `${namePrefix}-device`;
      const devices = await ops.addDevices(2, { namePrefix, deviceType });
      const page = await ops.signIn();
      const id = await createByWizard(page, {
        name: `${strategy} on the host's tables`,
        version: 'v3.0.0',
        strategy,
        ...(strategy === 'Manual' ? { pick: devices.map(({ name }) => name) } : { deviceType }),
      });
      await act(page, 'Start');
      const [first] = await offered(devices, id, 1);
      await complete(first!, id);
      if (strategy === 'Canary') await act(page, 'Expand');
      const rest = devices.filter((device) => device !== first);
      await completeAll(await offered(rest, id, 1), id);
      await hasStatus(page, 'Completed');
    });
  }

  it('G47 has logged no warnings', () => {
    expect(ops.host.warnings).to.deep.equal([]);
  });
});
