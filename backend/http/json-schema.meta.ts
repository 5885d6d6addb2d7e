/**
 * For `.meta()`: what a rule means that Joi cannot tell in JSON Schema by itself (custom validators,
 * keys that depend on each other). It is laid over Joi's own conversion in the OpenAPI document, and
 * property tests hold the two to the same judgement.
 */
export function asJsonSchema(jsonSchema: Record<string, unknown>): { jsonSchema: object } {
  return { jsonSchema };
}
