import Joi from 'joi';
import { DateTime } from 'luxon';
import { asJsonSchema } from './json-schema.meta.ts';

const DAY = String.raw`[2-8]\d{3}-\d{2}-\d{2}`;
const HOUR = String.raw`(?:[01]\d|2[0-3])`;
const OFFSET = String.raw`(?:Z|[+-]${HOUR}:[0-5]\d)`;
const SECONDS = String.raw`:[0-5]\d(?:\.\d{1,9})?`;

/** Seconds are optional. Week dates, 24:00, leap seconds and lower-case letters are errors. */
const FORMAT = new RegExp(`^${DAY}T${HOUR}:[0-5]\\d(?:${SECONDS})?${OFFSET}$`);

/**
 * A time of docs/contract.md, Admin API: ISO 8601 with an offset or `Z`, on a day that exists, in the years 2000 to
 * 8999. The validated value is a `Date`; digits below a millisecond are dropped.
 */
export function timestamp(): Joi.StringSchema {
  return Joi.string()
    .custom((value: string, helpers) => {
      if (!FORMAT.test(value)) return helpers.error('timestamp.form');
      const time = DateTime.fromISO(value, { setZone: true });
      return time.isValid ? time.toJSDate() : helpers.error('timestamp.day');
    })
    .messages({
      'timestamp.form':
        '{{#label}} must be a time with an offset or Z, like 2026-12-24T18:00:00Z or 2026-12-24T19:00:00+01:00',
      'timestamp.day': '{{#label}} must be on a day that exists',
    })
    .meta(
      asJsonSchema({
        format: 'date-time',
        pattern: `^${DAY}T${HOUR}:[0-5]\\d${SECONDS}${OFFSET}$`,
      }),
    );
}
