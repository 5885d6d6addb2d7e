/** Reading what is signed: two readers of one text must never read two things. Pure. */
import Joi from 'joi';

/** One kind of signed document. */
export interface DocumentKind<T> {
  /** For messages: `manifest`. */
  name: string;
  /** Stands before the text when it is signed, so that no signature fits another kind of document. */
  signedPrefix: string;
  schema: Joi.ObjectSchema<T>;
}

export type Verdict<K extends string, T> = Record<K, T> | { refused: string };

/**
 * The text has to be exactly what writing the parsed value gives again, which no duplicate key and
 * no odd number survives; then every field has to be known and right.
 */
export function readStrictly<T>(
  text: string,
  { name, schema }: DocumentKind<T>,
): { value: T } | { refused: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { refused: `the ${name} is not JSON` };
  }
  if (JSON.stringify(value) !== text) {
    return {
      refused: `the ${name} is not compact JSON, each key once (as JSON.stringify or jq -cj write it)`,
    };
  }
  const result = schema.validate(value, { abortEarly: false, convert: false });
  if (result.error) return { refused: `the ${name} has faults: ${result.error.message}` };
  // Joi overlooks a key named __proto__, and fills in what has a default.
  if (JSON.stringify(result.value) !== text) {
    return { refused: `the ${name} has faults: a field is missing or not allowed` };
  }
  return { value: result.value };
}

export const shortText = (): Joi.StringSchema =>
  Joi.string()
    .max(200)
    .pattern(/^[^\p{Cc}]+$/u, 'one line of text');

export const wholeNumber = (): Joi.NumberSchema =>
  Joi.number().integer().min(0).max(Number.MAX_SAFE_INTEGER);

/** One form only, since a time without a zone means another moment on every machine. */
export const utcTime = (): Joi.StringSchema =>
  Joi.string()
    .pattern(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/, 'UTC, as 2027-01-31T12:00:00Z')
    .custom((value: string, helpers) => {
      const time = new Date(value);
      const exists =
        !Number.isNaN(time.getTime()) && value.startsWith(time.toISOString().slice(0, 19));
      return exists ? value : helpers.error('date.format');
    })
    .messages({ 'date.format': '{{#label}} must be a time that exists' });

/** `issued` before `expires`; when the expiry was, if it is over. */
export function lifetimeFault(
  name: string,
  { issued, expires }: { issued: string; expires: string },
  now: Date,
): string | null {
  if (Date.parse(expires) <= Date.parse(issued)) {
    return `the ${name} expires before it was issued`;
  }
  return Date.parse(expires) <= now.getTime() ? `the ${name} expired at ${expires}` : null;
}
