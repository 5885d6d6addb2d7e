import type { Logger } from 'pino';

const QUIET_MS = 10_000;

/**
 * Logs an error that may come hundreds of times a second while a store is away: the first at once,
 * then one every ten seconds with the number left out.
 */
export function logSparingly(logger: Logger, message: string): (error: unknown) => void {
  let leftOut = 0;
  let quietUntil = 0;
  return (error) => {
    if (Date.now() < quietUntil) {
      leftOut += 1;
      return;
    }
    logger.warn({ err: error, ...(leftOut > 0 && { left_out: leftOut }) }, message);
    leftOut = 0;
    quietUntil = Date.now() + QUIET_MS;
  };
}
