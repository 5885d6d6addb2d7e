import { stdSerializers } from 'pino';

/**
 * How the plugin's errors are logged: what went wrong and where. Everything else that libraries hang
 * onto their errors stays out; the Redis client, for one, names the command that failed with its
 * arguments, and AUTH has a password for one.
 */
export function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const { type, message, stack } = stdSerializers.err(error);
  const { code } = error as { code?: unknown };
  return { type, message, stack, ...(typeof code === 'string' && { code }) };
}
