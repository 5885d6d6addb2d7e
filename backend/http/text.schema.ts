import Joi from 'joi';
import { asJsonSchema } from './json-schema.meta.ts';

// PostgreSQL cannot store NUL or a lone surrogate in text.
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const UNSTORABLE = new RegExp(`\\0|${LONE_SURROGATE.source}`);

/**
 * Text that PostgreSQL can store: no NUL, no lone surrogates. `max` counts characters, as PostgreSQL and JSON Schema
 * do, not UTF-16 code units.
 */
export function storableText(max: number): Joi.StringSchema {
  return Joi.string()
    .custom((value: string, helpers) => {
      if (UNSTORABLE.test(value)) return helpers.error('string.unstorable');
      return isTooLong(value, max) ? helpers.error('string.max', { limit: max }) : value;
    })
    .messages({ 'string.unstorable': '{#label} must not contain NUL or broken characters' })
    .meta(asJsonSchema({ maxLength: max, pattern: '^[^\\u0000]*$' }));
}

/** Whether PostgreSQL can store the text, and it has 1 to `max` characters. */
export function isStorableText(text: string, max: number): boolean {
  return text !== '' && !UNSTORABLE.test(text) && !isTooLong(text, max);
}

/** A short text, such as a name. It must not be blank; surrounding spaces are removed. */
export function label(max: number): Joi.StringSchema {
  return storableText(max)
    .custom((value: string, helpers) => value.trim() || helpers.error('string.empty'))
    .meta(asJsonSchema({ pattern: '^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$' }));
}

/** Like {@link label}, but an empty value counts as absent. */
export function optionalLabel(max: number): Joi.StringSchema {
  return label(max)
    .empty('')
    .meta(asJsonSchema({ pattern: '^([^\\u0000]*[^\\s\\u0000][^\\u0000]*)?$' }));
}

/** A search text; a blank one counts as absent. */
export function searchText(max: number): Joi.StringSchema {
  return optionalLabel(max).empty(Joi.string().allow('').pattern(/^\s*$/));
}

/** A UUID with hyphens and without braces; converted to lower case. */
export function uuid(): Joi.StringSchema {
  return Joi.string()
    .guid({ separator: '-', wrapper: false })
    .custom((value: string) => value.toLowerCase())
    .messages({ 'string.guid': '{{#label}} must be a UUID' });
}

function isTooLong(text: string, max: number): boolean {
  // Counting characters is slow, so only texts that may be too long are counted.
  return text.length > max && (text.length > max * 2 || [...text].length > max);
}

/** Text from a device: unstorable characters are replaced, and a text that is too long is truncated, not rejected. */
export function lenientText(maxLength: number): Joi.StringSchema {
  return Joi.string()
    .allow('')
    .custom((value: string) =>
      // Truncate first, because that can leave a lone surrogate at the end.
      value.slice(0, maxLength).replaceAll(new RegExp(UNSTORABLE, 'g'), '\ufffd'),
    );
}

/**
 * Log text from a device. An unstorable character is replaced by one with the same number of bytes, because devices
 * count offsets in bytes sent: NUL has one byte; a lone surrogate has three, like U+FFFD.
 */
export function logText(): Joi.StringSchema {
  return Joi.string()
    .allow('')
    .custom((value: string) =>
      value.replaceAll('\u0000', '?').replaceAll(new RegExp(UNSTORABLE, 'g'), '\ufffd'),
    );
}
