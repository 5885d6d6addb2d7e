import Joi from 'joi';
import { asJsonSchema } from './json-schema.meta.ts';

// PostgreSQL cannot store NUL in text, and a lone surrogate is no character.
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const UNSTORABLE = new RegExp(`\\0|${LONE_SURROGATE.source}`);

/**
 * Text that can be stored: no NUL, no half characters. `max` counts characters as PostgreSQL and JSON
 * Schema do, not the UTF-16 units of JavaScript.
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

/** A short text by which people know something: storable, and more than spaces, which are cut off. */
export function label(max: number): Joi.StringSchema {
  return storableText(max)
    .custom((value: string, helpers) => value.trim() || helpers.error('string.empty'))
    .meta(asJsonSchema({ pattern: '^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$' }));
}

/** Like {@link label}, or empty, which is as if the key were not there. */
export function optionalLabel(max: number): Joi.StringSchema {
  return label(max)
    .empty('')
    .meta(asJsonSchema({ pattern: '^([^\\u0000]*[^\\s\\u0000][^\\u0000]*)?$' }));
}

/** What somebody searches for; nothing but spaces is as if the key were not there. */
export function searchText(max: number): Joi.StringSchema {
  return optionalLabel(max).empty(Joi.string().allow('').pattern(/^\s*$/));
}

/** An id of a row, as everybody writes it: with hyphens and without brackets. */
export function uuid(): Joi.StringSchema {
  return Joi.string()
    .guid({ separator: '-', wrapper: false })
    .custom((value: string) => value.toLowerCase())
    .messages({ 'string.guid': '{{#label}} must be a UUID' });
}

function isTooLong(text: string, max: number): boolean {
  // Spreading a string takes its characters; only what could be too long is worth that.
  return text.length > max && (text.length > max * 2 || [...text].length > max);
}

/** Text from a device: what cannot be stored is replaced, and what is too long is cut, not refused. */
export function lenientText(maxLength: number): Joi.StringSchema {
  return Joi.string()
    .allow('')
    .custom((value: string) =>
      // Cutting comes first: it can leave half a character at the end.
      value.slice(0, maxLength).replaceAll(new RegExp(UNSTORABLE, 'g'), '\ufffd'),
    );
}

/**
 * Log text from a device. What cannot be stored is replaced by as many bytes, since devices count
 * their offsets in bytes sent: NUL takes one, half a character three like its replacement.
 */
export function logText(): Joi.StringSchema {
  return Joi.string()
    .allow('')
    .custom((value: string) =>
      value.replaceAll('\u0000', '?').replaceAll(new RegExp(UNSTORABLE, 'g'), '\ufffd'),
    );
}
