import { stdSerializers } from 'pino';

/**
 * Serializes errors for the log: type, message, stack and code only. Libraries add other properties that may contain
 * secrets; the Redis client, for example, adds the failed command with its arguments, which for AUTH is a password.
 */
export function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const { type, message, stack } = stdSerializers.err(error);
  const { code } = error as { code?: unknown };
  return { type, message, stack, ...(typeof code === 'string' && { code }) };
}
