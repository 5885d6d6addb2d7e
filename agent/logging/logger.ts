/** The agent's log: JSON lines on standard error. */
import { type DestinationStream, type Logger, destination, pino } from 'pino';
import { messageOf } from '../kernel/errors.ts';
import { isJournal, priorityMark } from './journal-stream.ts';

/** At `info` until the configuration is known. */
export function createLogger(): Logger {
  const stderr = destination({ fd: 2, sync: true });
  return pino({ name: 'ota-agent' }, isJournal() ? withPriorities(stderr) : stderr);
}

/** An unexpected fault in one line; its stack at `debug`. */
export function logFault(logger: Logger, error: unknown, what: string): void {
  logger.error(`${what}: ${messageOf(error)}`);
  logger.debug({ err: error }, `stack of: ${what}`);
}

function withPriorities(out: DestinationStream): DestinationStream {
  return {
    // Makes pino set the level of each line: pino's documentation, "pino.symbols".
    [pino.symbols.needsMetadataGsym]: true,
    lastLevel: 0,
    write(line: string) {
      out.write(priorityMark(this.lastLevel) + line);
    },
  } as DestinationStream & { lastLevel: number };
}
