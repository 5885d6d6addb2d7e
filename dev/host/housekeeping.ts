import type { Knex } from 'knex';
import type { Logger } from 'pino';

import { markSilentDevicesOffline, removeOldReports } from './edge-device.repository.ts';
import { removeExpiredSessions } from './sessions.ts';

/** A device is offline after so many missed heartbeats. */
const MISSED_HEARTBEATS = 3;
const REPORT_DAYS = 7;

/** One round of what the host tidies up from time to time. */
export async function tidyUp(knex: Knex, heartbeatSeconds: number): Promise<void> {
  await markSilentDevicesOffline(knex, MISSED_HEARTBEATS * heartbeatSeconds);
  await removeExpiredSessions(knex);
  await removeOldReports(knex, REPORT_DAYS);
}

/** Tidies up once every heartbeat interval; the returned function stops that. */
export function startHousekeeping(
  knex: Knex,
  heartbeatSeconds: number,
  logger: Logger,
): () => Promise<void> {
  let round: Promise<void> | null = null;
  const timer = setInterval(() => {
    round ??= tidyUp(knex, heartbeatSeconds)
      .catch((error: unknown) => logger.warn({ err: error }, 'Tidying up did not work'))
      .finally(() => {
        round = null;
      });
  }, heartbeatSeconds * 1000);
  return async () => {
    clearInterval(timer);
    await round;
  };
}
