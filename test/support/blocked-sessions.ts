import type { Knex } from 'knex';

import { waitFor } from '../../dev/wait-for.ts';

/**
 * Waits until at least this many sessions of the database wait for a lock.
 *
 * @param query an `ILIKE` pattern for their statements; default any
 */
export async function untilWaitingForLock(
  knex: Knex,
  {
    sessions = 1,
    query = '%',
    timeout,
  }: { sessions?: number; query?: string; timeout?: number } = {},
): Promise<void> {
  await waitFor(
    async () => {
      const waiting = await knex('pg_stat_activity')
        .whereRaw('datname = current_database()')
        .andWhere('wait_event_type', 'Lock')
        .andWhereILike('query', query);
      return waiting.length >= sessions;
    },
    {
      ...(timeout !== undefined && { timeout }),
      describe: `${sessions} sessions wait for a lock in a statement like ${query}`,
    },
  );
}
