import type { LoggerOptions } from 'pino';

/**
 * What libraries hang onto their errors and no log may hold: the Redis client names the command that
 * failed with its arguments, AUTH with a password; PostgreSQL tells the values of the row it refused.
 */
export const LOG_OPTIONS: LoggerOptions = { redact: ['err.command', 'err.detail', 'err.where'] };
