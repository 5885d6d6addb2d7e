import type { Logger } from 'pino';

const INTERVAL_MS = 10_000;

/**
 * Returns an error handler that logs at most one warning every ten seconds, with the number of suppressed
 * errors. While Redis or PostgreSQL is unavailable, clients emit hundreds of errors per second.
 */
export function throttledLog(logger: Logger, message: string): (error: unknown) => void {
  let suppressed = 0;
  let nextLogAt = 0;
  return (error) => {
    if (Date.now() < nextLogAt) {
      suppressed += 1;
      return;
    }
    logger.warn({ err: error, ...(suppressed > 0 && { suppressed }) }, message);
    suppressed = 0;
    nextLogAt = Date.now() + INTERVAL_MS;
  };
}
