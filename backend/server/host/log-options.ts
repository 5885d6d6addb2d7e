import type { LoggerOptions } from 'pino';

/**
 * Keeps secrets out of logged errors: the Redis client attaches the failed command with its arguments (the
 * password of AUTH), PostgreSQL the values of the rejected row.
 */
export const LOG_OPTIONS: LoggerOptions = { redact: ['err.command', 'err.detail', 'err.where'] };
