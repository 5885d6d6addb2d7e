/** Measures reads over the whole fleet, before and after adding a history of a hundred deployments. */
import type { Knex } from 'knex';
import type { OtaMetrics } from '../../../backend/contract/admin-api.ts';
import { waitFor } from '../../wait-for.ts';
import { absoluteFigure, ratioFigure, type Figure } from '../figure.ts';
import { median, quantile } from '../median.ts';
import type { AdminApi } from './admin.ts';
import { LARGE } from './fleet.ts';
import { MAX_MS, timesOf } from './reading.ts';

const HISTORY = 100;
/** Batches of each deployment of the history. */
export const HISTORY_BATCHES = 100;
const PREVIEWS = 20;
const MAX_PREVIEW_MS = 500;
/** Requested when an admin creates or starts a deployment, not while they type filters. */
const IMPACTS = 5;
const MAX_IMPACT_MS = 5_000;

/** @param large id of the deployment to a million devices */
export async function* measureFleetReads(
  admin: AdminApi,
  knex: Knex,
  large: string,
): AsyncGenerator<Figure> {
  const reads: Record<string, (request: number) => string> = {
    'figures of the fleet': () => '/metrics',
    'figures of a deployment': () => `/metrics?deployment_id=${large}`,
    'a page of 200 devices': () => '/devices?limit=200',
    'a search among devices': (request) => `/devices?search=device-${LARGE.first + request * 31}`,
    'a page of the timeline': () => `/deployments/${large}/events`,
  };
  yield* measureCensus(admin, knex, '/metrics', 'the fleet');
  yield* measureCensus(admin, knex, `/metrics?deployment_id=${large}`, 'a deployment');
  const before = new Map<string, number>();
  for (const [name, pathOf] of Object.entries(reads)) {
    const times = await timesOf(admin, pathOf);
    before.set(name, median(times));
    yield absoluteFigure(`${name}, p99`, quantile(times, 0.99), 'ms', { below: MAX_MS });
  }
  yield* measurePreviews(admin);
  yield* measureImpact(admin, large);
  await addHistory(knex, large, HISTORY);
  yield* measureCensus(admin, knex, '/metrics', `the fleet after ${HISTORY} more deployments`);
  for (const name of ['figures of the fleet', 'a page of 200 devices']) {
    const times = await timesOf(admin, reads[name] as (request: number) => string);
    yield absoluteFigure(
      `${name} after ${HISTORY} more deployments, p99`,
      quantile(times, 0.99),
      'ms',
      { below: MAX_MS },
    );
    yield ratioFigure(
      `${name} after ${HISTORY} more deployments, median`,
      {
        value: median(times),
        unit: 'ms',
        baseline: before.get(name) ?? Number.NaN,
        against: 'before them',
      },
      null,
    );
  }
}

/** Measures how long the background count of the devices takes. */
export async function* measureCensus(
  admin: AdminApi,
  knex: Knex,
  path: string,
  what: string,
): AsyncGenerator<Figure> {
  const ofDeployment = path.includes('deployment_id');
  const counted = () =>
    knex('ota_censuses').where((row) => {
      void (ofDeployment ? row.whereNotNull('deployment_id') : row.whereNull('deployment_id'));
    });
  await counted().delete();
  await waitFor(async () => (await admin.get<OtaMetrics>(path)).as_of !== null, {
    timeout: 600_000,
    describe: 'the devices are counted',
  });
  const [row] = await counted().select<{ seconds: number }[]>(
    knex.raw('extract(epoch FROM counted_at - started_at)::double precision AS seconds'),
  );
  yield absoluteFigure(
    `counting the devices of ${what}, in the background`,
    row?.seconds ?? Number.NaN,
    's',
    { below: 60 },
  );
}

export async function* measurePreviews(admin: AdminApi): AsyncGenerator<Figure> {
  yield* measurePreview(admin, 'by type', {});
  yield* measurePreview(admin, 'by type and version', {
    current_version: 'v1.5.0',
    version_operator: '<',
  });
}

async function* measurePreview(
  admin: AdminApi,
  by: string,
  filters: object,
): AsyncGenerator<Figure> {
  const times: number[] = [];
  for (let request = 0; request < PREVIEWS; request += 1) {
    const startedAt = performance.now();
    await admin.preview({ device_filters: { device_type: LARGE.type, ...filters } });
    times.push(performance.now() - startedAt);
  }
  yield absoluteFigure(`preview over ${LARGE.size} devices ${by}, median`, median(times), 'ms', {
    below: MAX_PREVIEW_MS,
  });
}

/** The worst case: the deployment in progress contains every device of the draft. */
export async function* measureImpact(admin: AdminApi, large: string): AsyncGenerator<Figure> {
  const requests: [string, () => Promise<unknown>][] = [
    ['a draft', () => admin.draftImpact({ device_filters: { device_type: LARGE.type } })],
    ['a deployment', () => admin.get(`/deployments/${large}/impact`)],
  ];
  for (const [what, send] of requests) {
    const times: number[] = [];
    for (let request = 0; request < IMPACTS; request += 1) {
      const startedAt = performance.now();
      await send();
      times.push(performance.now() - startedAt);
    }
    const name = `impact of ${what} to ${LARGE.size} devices, median`;
    yield absoluteFigure(name, median(times), 'ms', { below: MAX_IMPACT_MS });
  }
}

/**
 * Adds finished deployments with batches and results but without targets: a hundred million targets take half an hour
 * (history.ts adds them). This is the worst case for counting devices, because every device is looked up in each of
 * these deployments and found in none.
 *
 * @returns their ids, newest first
 */
export async function addHistory(knex: Knex, like: string, count: number): Promise<string[]> {
  const { rows } = await knex.raw<{ rows: { id: string }[] }>(
    `INSERT INTO ota_deployments (organization_id, deployment_name, target_version, rollout_strategy,
       status, created_at, started_at, completed_at, total_devices, released_devices, metadata)
     SELECT organization_id, 'History ' || n, 'v8.' || n, 'rolling', 'completed',
            now() - n * interval '7 days', now() - n * interval '7 days',
            now() - (n - 1) * interval '7 days', total_devices, total_devices, metadata
     FROM ota_deployments, generate_series(1, CAST(:count AS int)) n WHERE id = :like
     RETURNING id`,
    { count, like },
  );
  const ids = rows.map(({ id }) => id);
  await knex.raw(
    `INSERT INTO ota_deployment_batches (deployment_id, number, first_position, size, released_at,
       completed, timed_updates, update_seconds)
     SELECT id, n, (n - 1) * 10000, 10000, now(), 10000, 10000, 900000
     FROM unnest(CAST(:ids AS uuid[])) id, generate_series(1, ${HISTORY_BATCHES}) n`,
    { ids },
  );
  await knex.raw(
    `INSERT INTO ota_deployment_ends (deployment_id, at, completed)
     SELECT id, ota_end_span(d.started_at, d.started_at + minute * interval '1 minute'), sum(100)
     FROM unnest(CAST(:ids AS uuid[])) id JOIN ota_deployments d USING (id),
          generate_series(1, 10080) minute GROUP BY 1, 2`,
    { ids },
  );
  await knex.raw('VACUUM ANALYZE ota_deployments, ota_deployment_batches, ota_deployment_ends');
  return ids;
}
