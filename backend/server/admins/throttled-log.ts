import type { Logger } from 'pino';

const INTERVAL_MS = 60_000;

/** Logs each message at most once a minute, because whoever sends requests decides how often it happens. */
export class ThrottledLog {
  readonly #logger: Logger;
  readonly #loggedAt = new Map<string, number>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  warn(details: object, message: string): void {
    const now = performance.now();
    const last = this.#loggedAt.get(message);
    if (last !== undefined && now - last < INTERVAL_MS) return;
    this.#loggedAt.set(message, now);
    this.#logger.warn(details, message);
  }
}

/**
 * What may be logged of an error. Errors of ioredis carry the command with its arguments, which contain session tokens
 * and passwords.
 */
export function withoutSecrets(error: unknown): { reason: string } {
  if (!(error instanceof Error)) return { reason: 'unknown' };
  const { code } = error as { code?: unknown };
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return {
    reason: `${typeof code === 'string' ? `${code} ` : ''}${error.name}: ${error.message}${cause}`,
  };
}
