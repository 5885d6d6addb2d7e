/** Converts the Joi schemas of requests to JSON Schema. */
import type Joi from 'joi';

export type JsonSchema = Record<string, unknown>;

/** Joi's Standard JSON Schema conversion, which is missing in its types. */
interface Convertible {
  '~standard': {
    jsonSchema: { input(options: { target: 'draft-2020-12' }): JsonSchema };
  };
}

/** The parts of `describe()` that the conversion leaves out. */
interface Described {
  flags?: { empty?: { allow?: unknown[] } };
  keys?: Record<string, Described>;
  items?: Described[];
  metas?: { jsonSchema?: JsonSchema }[];
}

/**
 * The schema of input that needs no conversion. Joi also accepts surrounding spaces, numbers as text and upper
 * case in ids, which the schema does not document.
 */
export function requestSchema(schema: Joi.Schema): JsonSchema {
  const { jsonSchema } = (schema as unknown as Convertible)['~standard'];
  const converted = jsonSchema.input({ target: 'draft-2020-12' });
  return refined(converted, schema.describe() as Described);
}

function refined(schema: JsonSchema, description: Described): JsonSchema {
  const { keys = {}, items: [item] = [], metas = [], flags } = description;
  const result = { ...schema };
  // Joi's extension for constraints that JSON Schema cannot express.
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
  // Joi treats a key with an "empty" value as missing.
  if (flags?.empty?.allow?.includes('')) {
    if (Array.isArray(result.enum)) result.enum = ['', ...(result.enum as unknown[])];
    else delete result.minLength;
  }
  return Object.assign(result, ...metas.map(({ jsonSchema }) => jsonSchema)) as JsonSchema;
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
