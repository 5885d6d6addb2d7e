import type { Knex } from 'knex';
import type { PoolFigures } from '../observability/gauges.ts';

/** Knex's connection pool (tarn); Knex has no types for it. */
interface Pool {
  max: number;
  numUsed(): number;
  numFree(): number;
  numPendingAcquires(): number;
}

export function poolFigures(knex: Knex): PoolFigures {
  const { pool } = knex.client as { pool: Pool };
  return {
    used: pool.numUsed(),
    free: pool.numFree(),
    max: pool.max,
    waiting: pool.numPendingAcquires(),
  };
}
