/** Measures every read of the admin API with a history of deployments whose targets are all in the database. */
import type { Knex } from 'knex';

import type { OtaMetrics } from '../../../backend/contract/admin-api.ts';
import { waitFor } from '../../wait-for.ts';
import { absoluteFigure, plainFigure, type Figure } from '../figure.ts';
import { quantile } from '../median.ts';
import type { AdminApi } from './admin.ts';
import { LARGE, LARGE_COUNT } from './fleet.ts';
import { MAX_MS, timesOf } from './reading.ts';
import {
  addHistory,
  HISTORY_BATCHES,
  measureCensus,
  measureImpact,
  measurePreviews,
} from './reading-fleet.ts';
import { deviceOf } from './testbed.ts';

/** Deployments in the history. With a million targets each, a hundred take about 30 GB. */
const DEPLOYMENTS = Number(process.env['OTA_BENCH_DEPLOYMENTS'] ?? 100);
/** Where a deep page begins, as a share of the targets. */
const DEEP = 0.9;
/** Index by deployment, status and position. */
const ROLLOUT_ORDER = 'ota_targets_status_idx';
/** Connections that insert targets at the same time. */
const INSERTING = 3;
/** In every fourth deployment, every fiftieth target failed. */
const WITH_FAILURES = 4;
const FAILED = 50;

/** Requires a database without deployments. */
export async function* measureHistory(admin: AdminApi, knex: Knex): AsyncGenerator<Figure> {
  const { deployment_id: newest } = await admin.create({
    deployment_name: 'Newest',
    device_filters: { device_type: LARGE.type },
  });
  await admin.release(newest);
  const history = await addHistory(knex, newest, DEPLOYMENTS);
  await addTargets(knex, history);
  yield* sizes(knex);
  const old = history[Math.floor(history.length / WITH_FAILURES) * WITH_FAILURES - 1] ?? newest;
  yield* measureReads(admin, knex, newest, old);
}

async function* measureReads(
  admin: AdminApi,
  knex: Knex,
  newest: string,
  old: string,
): AsyncGenerator<Figure> {
  yield* measureCensus(admin, knex, '/metrics', `the fleet with ${DEPLOYMENTS} deployments`);
  for (const id of [newest, old]) await counted(admin, `/metrics?deployment_id=${id}`);
  const reads = {
    ...readsOfFleet(),
    ...readsOf('newest', { id: newest, batches: 1 }),
    ...readsOf('old', { id: old, batches: HISTORY_BATCHES }),
  };
  for (const [name, pathOf] of Object.entries(reads)) {
    const times = await timesOf(admin, pathOf);
    yield absoluteFigure(`${name}, p99`, quantile(times, 0.99), 'ms', { below: MAX_MS });
  }
  yield* measurePreviews(admin);
  yield* measureImpact(admin, newest);
}

type Reads = Record<string, (request: number) => string>;

function readsOfFleet(): Reads {
  return {
    'list of deployments, first page': () => '/deployments?page_size=20',
    'list of deployments, last page': () =>
      `/deployments?page_size=20&page=${Math.ceil(DEPLOYMENTS / 20)}`,
    'list of deployments in progress': () => '/deployments?page_size=20&status=in_progress',
    'list of deployments, search': (request) => `/deployments?search=History ${1 + (request % 99)}`,
    'figures of the fleet': () => '/metrics',
    'a page of 200 devices': () => '/devices?limit=200',
    'a page of 200 devices from the middle': (request) =>
      `/devices?limit=200&cursor=${deviceOf(LARGE.first + request).id}`,
    'a search among devices': (request) => `/devices?search=${nameOf(request)}`,
    'a search among devices that all match': () => '/devices?search=device-',
  };
}

/** @param which deployment, for the names of figures */
function readsOf(which: string, { id, batches }: { id: string; batches: number }): Reads {
  const targets = `/deployments/${id}/devices?limit=100`;
  const deep = (request: number): string => `cursor=${Math.floor(LARGE.size * DEEP) + request}`;
  const reads: Reads = {
    detail: () => `/deployments/${id}`,
    'figures of the deployment': () => `/metrics?deployment_id=${id}`,
    'first page of targets': () => targets,
    'page of targets, deep': (request) => `${targets}&${deep(request)}`,
    'page of pending targets': () => `${targets}&status=pending`,
    'page of completed targets, deep': (request) => `${targets}&status=completed&${deep(request)}`,
    'page of failed targets': () => `${targets}&status=failed`,
    'page of a batch': (request) => `${targets}&batch=${1 + (request % batches)}`,
    'search for the name of a target': (request) => `${targets}&search=${nameOf(request)}`,
    'search for the id of a target': (request) =>
      `${targets}&search=${deviceOf(LARGE.first + request * 31).id}`,
    'search that all targets match': () => `${targets}&search=device-`,
    'search that no target matches': (request) => `${targets}&search=none-${request}`,
    'search that many targets match, among failed ones': () =>
      `${targets}&search=device-5&status=failed`,
    'search for an error': () => `${targets}&search=mount`,
    'logs of a device': (request) =>
      `/deployments/${id}/devices/${deviceOf(LARGE.first + request * 31).id}/logs`,
    timeline: () => `/deployments/${id}/events`,
  };
  return Object.fromEntries(
    Object.entries(reads).map(([name, pathOf]) => [`${which} deployment: ${name}`, pathOf]),
  );
}

/** A name that is the beginning of few others. */
function nameOf(request: number): string {
  return `device-${LARGE.first + request * 31}`;
}

async function counted(admin: AdminApi, path: string): Promise<void> {
  await waitFor(async () => (await admin.get<OtaMetrics>(path)).as_of !== null, {
    timeout: 600_000,
    describe: 'the devices are counted',
  });
}

async function* sizes(knex: Knex): AsyncGenerator<Figure> {
  const { rows } = await knex.raw<{ rows: { table_gb: number; index_gb: number }[] }>(
    `SELECT pg_table_size('ota_deployment_devices') / 1e9::float8 AS table_gb,
            pg_indexes_size('ota_deployment_devices') / 1e9::float8 AS index_gb`,
  );
  yield plainFigure('size of the target table', rows[0]?.table_gb ?? Number.NaN, 'GB');
  yield plainFigure('size of its indexes', rows[0]?.index_gb ?? Number.NaN, 'GB');
}

/**
 * Inserts the finished targets of deployments. The index in the order of rollouts is dropped and built again at the end,
 * which is several times as fast. Those that sweeps of the server use are kept; finished targets are in none of them.
 * The order of the targets is random, and different in each deployment.
 */
async function addTargets(knex: Knex, deployments: readonly string[]): Promise<void> {
  const { rows } = await knex.raw<{ rows: { definition: string }[] }>(
    `SELECT pg_get_indexdef('${ROLLOUT_ORDER}'::regclass) AS definition`,
  );
  await knex.raw(`DROP INDEX ${ROLLOUT_ORDER}`);
  await knex.raw(
    `CREATE TABLE bench_devices AS
     SELECT id, device_name, device_type, firmware_version, row_number() OVER (ORDER BY random()) AS number
     FROM edge_devices WHERE device_type = ? ORDER BY id`,
    [LARGE.type],
  );
  const remaining = deployments.entries();
  const insertRemaining = async (): Promise<void> => {
    for (const [index, deployment] of remaining) {
      const withFailures = index % WITH_FAILURES === WITH_FAILURES - 1;
      await addTargetsOf(knex, deployment, { shift: index * 104_729, withFailures });
      console.error(`bench: added ${LARGE_COUNT} targets to deployment ${index + 1}`);
    }
  };
  await Promise.all(Array.from({ length: INSERTING }, insertRemaining));
  await knex.raw('DROP TABLE bench_devices');
  await knex.transaction(async (trx) => {
    await trx.raw(`SET LOCAL maintenance_work_mem = '1GB'`);
    await trx.raw(rows[0]?.definition ?? '');
  });
  await knex.raw('VACUUM ANALYZE ota_deployment_devices, ota_deployment_batches, ota_deployments');
}

async function addTargetsOf(
  knex: Knex,
  deployment: string,
  { shift, withFailures }: { shift: number; withFailures: boolean },
): Promise<void> {
  await knex.transaction(async (trx) => {
    await trx.raw('SET LOCAL synchronous_commit = off');
    await trx.raw(
      `INSERT INTO ota_deployment_devices (deployment_id, device_id, status, error_message, started_at,
         completed_at, position, previous_version, last_report_at, device_name, device_type)
       SELECT d.id, device.id, CASE WHEN has_failed THEN 'failed' ELSE 'completed' END,
              CASE WHEN has_failed THEN 'no space left on device: cannot mount the new slot' END,
              d.started_at, d.completed_at, position, device.firmware_version, d.completed_at,
              device.device_name, device.device_type
       FROM ota_deployments d, bench_devices device,
            LATERAL (SELECT (device.number + :shift) % :size AS position) placed,
            LATERAL (SELECT :with_failures AND position % ${FAILED} = 0 AS has_failed) outcome
       WHERE d.id = :deployment`,
      { deployment, shift, size: LARGE.size, with_failures: withFailures },
    );
    if (!withFailures) return;
    await trx('ota_deployments').where({ id: deployment }).update({ status: 'failed' });
    await trx('ota_deployment_batches')
      .where({ deployment_id: deployment })
      .update({
        failed: trx.raw('size / ?', [FAILED]),
        completed: trx.raw('size - size / ?', [FAILED]),
      });
  });
}
