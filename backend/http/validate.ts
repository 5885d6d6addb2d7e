import type Joi from 'joi';
import type { FieldFault } from '../contract/problem.ts';
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
  if (error) throw invalidRequest(error.details.map(toFault));
  return value;
}

function toFault({ path, message }: Joi.ValidationErrorItem): FieldFault {
  return { path: path.join('.'), message };
}
