import type Joi from 'joi';
import type { FieldError } from '../contract/problem.ts';
import { invalidRequest } from '../kernel/errors.ts';

/** Nothing is converted: JSON has types of its own, and what a query means its schema says. */
const OPTIONS: Joi.ValidationOptions = {
  abortEarly: false,
  convert: false,
  errors: { wrap: { label: false }, label: 'path' },
  // Joi's own sentence would be: fails to match the <name> pattern.
  messages: { 'string.pattern.name': '{{#label}} must be {{#name}}' },
};

/** Validates input and fills in defaults. Throws `invalid_request` naming every fault at once. */
export function validate<T>(schema: Joi.ObjectSchema<T>, input: unknown): T {
  const { error, value } = schema.validate(input, OPTIONS);
  if (error) throw invalidRequest(error.details.map(toFieldError));
  return value;
}

function toFieldError({ path, message }: Joi.ValidationErrorItem): FieldError {
  return { path: path.join('.'), message };
}
