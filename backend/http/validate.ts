import Joi from 'joi';
import type { FieldError } from '../contract/problem.ts';
import { invalidRequest } from '../kernel/errors.ts';

/** No conversion by default: JSON has its own types. Schemas of queries enable it where they need it. */
const OPTIONS: Joi.ValidationOptions = {
  abortEarly: false,
  convert: false,
  errors: { wrap: { label: false }, label: 'path' },
  // Joi's default is: fails to match the <name> pattern. A template, because Joi would parse a text for each request.
  messages: { 'string.pattern.name': Joi.expression('{{#label}} must be {{#name}}') },
};

/** Validates input and fills in defaults. Throws `invalid_request` with every error at once. */
export function validate<T>(schema: Joi.ObjectSchema<T>, input: unknown): T {
  const { error, value } = schema.validate(input, OPTIONS);
  if (error) throw invalidRequest(error.details.map(toFieldError));
  return value;
}

function toFieldError({ path, message }: Joi.ValidationErrorItem): FieldError {
  return { path: path.join('.'), message };
}
