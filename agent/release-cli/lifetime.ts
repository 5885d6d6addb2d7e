/** The time in which a signed document is valid. Pure. */
import { UsageError } from '../kernel/errors.ts';
import { EXIT } from './exit-codes.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const DAYS = /^([1-9]\d{0,4})d$/;

export interface Lifetime {
  /** ISO 8601, UTC, whole seconds. */
  issued: string;
  expires: string;
}

/**
 * @param expires `90d` for days, or a time like `2027-01-31T12:00:00Z`
 * @param sourceDateEpoch seconds since 1970 to use as the current time, as reproducible builds set it
 * @throws {UsageError}
 */
export function lifetimeOf(
  expires: string,
  sourceDateEpoch: string | undefined,
  now = new Date(),
): Lifetime {
  const issued = sourceDateEpoch ? new Date(Number(sourceDateEpoch) * 1000) : now;
  if (Number.isNaN(issued.getTime())) {
    throw new UsageError('SOURCE_DATE_EPOCH must be seconds since 1970.', EXIT.usage);
  }
  const days = DAYS.exec(expires)?.[1];
  const end = days ? new Date(issued.getTime() + Number(days) * DAY_MS) : new Date(expires);
  if (Number.isNaN(end.getTime()) || (!days && !expires.endsWith('Z'))) {
    throw new UsageError(
      `--expires must be days, as 90d, or a time in UTC, as 2027-01-31T12:00:00Z; it is ${expires}.`,
      EXIT.usage,
    );
  }
  if (end <= issued) throw new UsageError(`--expires ${expires} is in the past.`, EXIT.usage);
  return { issued: inSeconds(issued), expires: inSeconds(end) };
}

function inSeconds(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, 'Z');
}
