import Joi from 'joi';

/**
 * A whole number in a query, where everything is text: digits only, so that `1e2`, `0x10` or ` 5 `
 * are refused. Empty is as good as absent, as for every parameter of a query.
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

/** A row's number to us, and to clients what the page before answered as `next_cursor`. */
export function queryCursor(digits: number): Joi.StringSchema {
  return Joi.string()
    .pattern(new RegExp(`^\\d{1,${digits}}$`), 'the next_cursor of an earlier page')
    .empty('');
}
