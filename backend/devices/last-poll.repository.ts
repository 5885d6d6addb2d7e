import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import { Database } from '../database/database.ts';
import { runPrepared } from '../database/prepared.ts';
import { SHORT_QUERY_MS } from '../kernel/time-limits.ts';
import type { LastPollRepository, PolledDevices } from './last-poll.ports.ts';

/** Whether the stored poll `known` is old enough to be replaced by one at `polledAt`. */
const isDue = (organizationId: string, polledAt: string): string => `(
         known.polled_at < ${polledAt} - interval '5 minutes'
         OR (known.polled_at < ${polledAt} AND known.organization_id <> ${organizationId}))`;

@injectable()
export class KnexLastPollRepository implements LastPollRepository {
  constructor(@inject(Database) private readonly knex: Knex) {}

  async save({ organizations, ageSeconds }: PolledDevices): Promise<void> {
    await runPrepared(
      this.knex,
      'ota_last_polls',
      `INSERT INTO ota_device_polls AS known (device_id, organization_id, polled_at)
       SELECT polled.device_id, polled.organization_id, polled.at
       FROM (SELECT device_id, organization_id, now() - make_interval(secs => $3) AS at
             FROM unnest($1::uuid[], $2::uuid[]) AS polled (device_id, organization_id)) polled
       -- ON CONFLICT locks a row, which is a write, even if its condition then rejects the update.
       LEFT JOIN LATERAL (
         SELECT organization_id, polled_at FROM ota_device_polls WHERE device_id = polled.device_id OFFSET 0
       ) known ON true
       WHERE known.polled_at IS NULL OR ${isDue('polled.organization_id', 'polled.at')}
       -- One order, so that two statements cannot lock rows in opposite orders.
       ORDER BY polled.device_id
       ON CONFLICT (device_id) DO UPDATE
         SET organization_id = excluded.organization_id, polled_at = excluded.polled_at
         WHERE ${isDue('excluded.organization_id', 'excluded.polled_at')}`,
      [[...organizations.keys()], [...organizations.values()], ageSeconds],
      SHORT_QUERY_MS,
    );
  }
}
