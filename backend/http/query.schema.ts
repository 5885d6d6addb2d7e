import Joi from 'joi';

/**
 * An integer in a query string. Only digits are allowed: `1e2`, `0x10` and ` 5 ` are errors. An empty value counts as
 * absent, as for every query parameter.
 */
export function queryInteger(min: number, max: number): Joi.NumberSchema {
  return Joi.number()
    .integer()
    .min(min)
    .max(max)
    .empty('')
    .prefs({ convert: true })
    .custom((value: number, helpers) => {
      const written: unknown = helpers.original;
      return typeof written !== 'string' || /^-?\d+$/.test(written)
        ? value
        : helpers.error('number.base');
    });
}

/** The `next_cursor` of an earlier page. Clients must not interpret it; it is a row's number. */
export function queryCursor(digits: number): Joi.StringSchema {
  return Joi.string()
    .pattern(new RegExp(`^\\d{1,${digits}}$`), 'the next_cursor of an earlier page')
    .empty('');
}
