/**
 * For `.meta()`: the JSON Schema of a rule that Joi cannot convert (custom validators, keys that depend on each other).
 * The OpenAPI document merges it over Joi's own conversion. Property tests check that both accept the same values.
 */
export function asJsonSchema(jsonSchema: Record<string, unknown>): { jsonSchema: object } {
  return { jsonSchema };
}
