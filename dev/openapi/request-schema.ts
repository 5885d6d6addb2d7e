/** JSON Schema of what a route takes, from the Joi schema that it validates with. */
import type Joi from 'joi';

export type JsonSchema = Record<string, unknown>;

/** Joi's conversion (Standard JSON Schema), which its types do not name. */
interface Convertible {
  '~standard': {
    jsonSchema: { input(options: { target: 'draft-2020-12' }): JsonSchema };
  };
}

/** What `describe()` tells of a schema, as far as the conversion leaves it out. */
interface Described {
  flags?: { empty?: { allow?: unknown[] } };
  keys?: Record<string, Described>;
  items?: Described[];
  metas?: { jsonSchema?: JsonSchema }[];
}

/**
 * What is taken as it is. Joi also mends a little (spaces around a text, numbers as text, upper case
 * in an id); the schema does not promise that.
 */
export function requestSchema(schema: Joi.Schema): JsonSchema {
  const { jsonSchema } = (schema as unknown as Convertible)['~standard'];
  const converted = jsonSchema.input({ target: 'draft-2020-12' });
  return refined(converted, schema.describe() as Described);
}

function refined(schema: JsonSchema, description: Described): JsonSchema {
  const { keys = {}, items: [item] = [], metas = [], flags } = description;
  const result = { ...schema };
  // Joi's note for a limit that JSON Schema has no word for.
  delete result['x-constraint'];
  if (isSchema(result.properties)) {
    result.properties = Object.fromEntries(
      Object.entries(result.properties).map(([key, value]) => [
        key,
        refined(value as JsonSchema, keys[key] ?? {}),
      ]),
    );
  }
  if (item && isSchema(result.items)) result.items = refined(result.items, item);
  // A key whose value is "empty" is as good as absent.
  if (flags?.empty?.allow?.includes('')) {
    if (Array.isArray(result.enum)) result.enum = ['', ...(result.enum as unknown[])];
    else delete result.minLength;
  }
  return Object.assign(result, ...metas.map(({ jsonSchema }) => jsonSchema)) as JsonSchema;
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
