import Joi from 'joi';

// PostgreSQL cannot store NUL in text, and a lone surrogate is no character.
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const UNSTORABLE = new RegExp(`\\0|${LONE_SURROGATE.source}`);

/** Text that can be stored: no NUL, no half characters. */
export function storableText(): Joi.StringSchema {
  return Joi.string()
    .custom((value: string, helpers) =>
      UNSTORABLE.test(value) ? helpers.error('string.unstorable') : value,
    )
    .messages({ 'string.unstorable': '{#label} must not contain NUL or broken characters' });
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
