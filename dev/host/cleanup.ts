import type { Knex } from 'knex';
import type { Logger } from 'pino';

import { markSilentDevicesOffline, removeOldReports } from './edge-device.repository.ts';
import { removeExpiredSessions } from './sessions.ts';

/** A device is marked offline after this many missed heartbeats. */
const MISSED_HEARTBEATS = 3;
const REPORT_DAYS = 7;

/** Marks silent devices offline, and deletes expired sessions and old reports. */
export async function cleanUp(knex: Knex, heartbeatSeconds: number): Promise<void> {
  await markSilentDevicesOffline(knex, MISSED_HEARTBEATS * heartbeatSeconds);
  await removeExpiredSessions(knex);
  await removeOldReports(knex, REPORT_DAYS);
}

/** Cleans up once per heartbeat interval. Returns a function that stops it and waits for the current run. */
export function startCleanup(
  knex: Knex,
  heartbeatSeconds: number,
  logger: Logger,
): () => Promise<void> {
  let running: Promise<void> | null = null;
  const timer = setInterval(() => {
    running ??= cleanUp(knex, heartbeatSeconds)
      .catch((error: unknown) => logger.warn({ err: error }, 'Cleanup failed'))
      .finally(() => {
        running = null;
      });
  }, heartbeatSeconds * 1000);
  return async () => {
    clearInterval(timer);
    await running;
  };
}
