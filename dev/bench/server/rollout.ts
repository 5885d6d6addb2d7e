/** Measures creating, releasing and pausing a deployment to a million devices while the fleet polls. */
import type { Knex } from 'knex';

import { absoluteFigure, ratioFigure, type Figure } from '../figure.ts';
import { median } from '../median.ts';
import type { AdminApi } from './admin.ts';
import { LARGE, LARGE_COUNT } from './fleet.ts';
import { startPacedPolls } from './paced-polls.ts';

const ROUNDS = 3;
const MAX_POLL_MS = 50;

export async function* measureCreation(
  admin: AdminApi,
  knex: Knex,
  url: string,
): AsyncGenerator<Figure> {
  const ratios: number[] = [];
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const bare = await bareInsert(knex);
    const { seconds, id } = await create(admin);
    await removeDeployment(knex, id);
    times.push(seconds);
    ratios.push(seconds / bare);
  }
  const value = median(times);
  const polls = await startPacedPolls(url);
  const { id } = await create(admin);
  const { p99Ms } = await polls.stop();
  await removeDeployment(knex, id);
  yield ratioFigure(
    `creating a deployment for ${LARGE_COUNT} devices`,
    { value, unit: 's', baseline: value / median(ratios), against: 'bare ordered INSERT … SELECT' },
    { below: 2.5 },
  );
  yield pollFigure('creating it', p99Ms);
}

export async function* measureSteering(
  admin: AdminApi,
  id: string,
  url: string,
): AsyncGenerator<Figure> {
  const releasing = await startPacedPolls(url);
  const release = await timeOf(() => admin.release(id));
  const whileReleasing = await releasing.stop();
  const pausing = await startPacedPolls(url);
  const pause = await timeOf(() => admin.act(id, 'pause'));
  const resume = await timeOf(() => admin.act(id, 'resume'));
  const whilePausing = await pausing.stop();
  yield absoluteFigure(`starting, until a batch of ${LARGE_COUNT} is released`, release, 's', {
    below: 2,
  });
  yield pollFigure('releasing it', whileReleasing.p99Ms);
  yield absoluteFigure(`pausing with ${LARGE_COUNT} released`, pause, 's', { below: 1 });
  yield absoluteFigure('resuming it', resume, 's', { below: 1 });
  yield pollFigure('pausing and resuming', whilePausing.p99Ms);
}

function pollFigure(meanwhile: string, p99Ms: number): Figure {
  return absoluteFigure(`polls (3,333/s) while ${meanwhile}, p99`, p99Ms, 'ms', {
    below: MAX_POLL_MS,
  });
}

async function create(admin: AdminApi): Promise<{ seconds: number; id: string }> {
  let id = '';
  const seconds = await timeOf(async () => {
    const created = await admin.create({ device_filters: { device_type: LARGE.type } });
    if (created.target_devices !== LARGE.size) throw new Error(`${created.target_devices} targets`);
    id = created.deployment_id;
  });
  return { seconds, id };
}

/** Baseline: inserts as many rows, in order, into a table with only a primary key. Returns seconds. */
async function bareInsert(knex: Knex): Promise<number> {
  await knex.raw(
    `CREATE TABLE bench_targets
       (deployment_id uuid, device_id uuid, status text, PRIMARY KEY (deployment_id, device_id))`,
  );
  const seconds = await timeOf(() =>
    knex.raw(
      `INSERT INTO bench_targets
       SELECT gen.id, edge_devices.id, 'pending'
       FROM (SELECT gen_random_uuid() AS id) AS gen, edge_devices
       WHERE device_type = ? ORDER BY edge_devices.id`,
      [LARGE.type],
    ),
  );
  await knex.raw('DROP TABLE bench_targets');
  return seconds;
}

/** Removes the only deployment. Truncating the targets is faster than deleting a million rows. */
async function removeDeployment(knex: Knex, id: string): Promise<void> {
  await knex.raw('TRUNCATE ota_deployment_devices');
  await knex('ota_deployments').where({ id }).delete();
}

/** Returns seconds. */
async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1_000;
}
