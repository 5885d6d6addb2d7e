/**
 * Joi's own sentence for a named pattern is "… fails to match the <name> pattern". With this one a
 * name reads on: `must be <name>`. Every schema that names a pattern is validated with it.
 */
export const VALIDATION_MESSAGES = {
  'string.pattern.name': '{{#label}} must be {{#name}}',
};
