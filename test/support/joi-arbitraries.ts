/** Generates fuzzing inputs from the server's Joi schemas: mostly plausible, some hostile. */
import fc from 'fast-check';
import type Joi from 'joi';

/** Typical attacks: SQL, patterns, paths, markup, unusual numbers, lone surrogates. */
const HOSTILE_TEXTS = [
  `' OR 1=1 --`,
  `'; DROP TABLE ota_deployments; --`,
  `1) UNION SELECT password FROM users --`,
  `$1`,
  `?`,
  `:id`,
  '%',
  '_',
  '\\',
  '\u0000',
  'a\u0000b',
  '\ud800',
  '\udc00x',
  '../../etc/passwd',
  '${7*7}',
  '<script>alert(1)</script>',
  'x\r\nX-Injected: 1',
  '__proto__',
  'constructor',
  'null',
  'NaN',
  'Infinity',
  '1e309',
  '-0',
  '-1',
  '2147483648',
  '9'.repeat(40),
  '0x10',
  '1.5',
  ' ',
  '\u202e',
  'é'.repeat(300),
  '🙂'.repeat(60),
  'x'.repeat(5_000),
];

const hostile = fc.oneof(
  fc.constantFrom(...HOSTILE_TEXTS),
  fc.jsonValue({ maxDepth: 3 }),
  fc.double(),
  fc.maxSafeInteger(),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

/** Keys that callers may not set or that are special in JavaScript. */
const FORBIDDEN_KEYS = [
  'organization_id',
  'id',
  'created_by',
  'released_devices',
  '__proto__',
  'x',
];

/**
 * Values for a schema. `ids` are used for UUIDs, so that requests also reach existing rows.
 */
export function arbitraryOf(schema: Joi.Schema, ids: readonly string[]): fc.Arbitrary<unknown> {
  return describedBy(schema.describe(), ids);
}

/** A valid body with one generated field, so that a single rule decides. */
export function nearlyValid(
  schema: Joi.Schema,
  valid: object,
  ids: readonly string[],
): fc.Arbitrary<object> {
  return fc.tuple(arbitraryOf(schema, ids), fc.nat()).map(([value, number]) => {
    const fields = Object.entries(value ?? {});
    const field = fields[number % Math.max(1, fields.length)];
    return { ...valid, ...(field && { [field[0]]: field[1] as unknown }) };
  });
}

function describedBy(schema: Joi.Description, ids: readonly string[]): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 9, arbitrary: plausible(schema, ids) },
    { weight: 1, arbitrary: hostile },
  );
}

function plausible(schema: Joi.Description, ids: readonly string[]): fc.Arbitrary<unknown> {
  const allowed = (schema['allow'] as unknown[] | undefined)?.filter(isPlain) ?? [];
  const { only } = (schema.flags ?? {}) as { only?: boolean };
  if (only && allowed.length > 0) return fc.constantFrom(...allowed);
  const values = ofType(schema, ids);
  return allowed.length > 0 ? fc.oneof(values, fc.constantFrom(...allowed)) : values;
}

function ofType(schema: Joi.Description, ids: readonly string[]): fc.Arbitrary<unknown> {
  switch (schema.type) {
    case 'object':
      return objects(schema, ids);
    case 'array': {
      const [items] = (schema['items'] as Joi.Description[] | undefined) ?? [];
      return fc.array(items ? describedBy(items, ids) : hostile, { maxLength: 4 });
    }
    case 'number':
      return fc.oneof(
        fc.integer({ min: limit(schema, 'min', 0), max: limit(schema, 'max', 1_000_000) }),
        fc.constantFrom(limit(schema, 'min', 0) - 1, limit(schema, 'max', 1e9) + 1),
      );
    case 'boolean':
      return fc.boolean();
    case 'date':
      return fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
    case 'string':
      if (hasRule(schema, 'guid')) return fc.oneof(fc.constantFrom(...ids), fc.uuid());
      return fc.oneof(
        fc.string({ maxLength: 30 }),
        fc.constantFrom(...HOSTILE_TEXTS),
        fc.constantFrom('v2.1.0', 'https://cdn.example.com/u.tar.gz', 'a3'.repeat(32)),
      );
    default:
      return hostile;
  }
}

function objects(schema: Joi.Description, ids: readonly string[]): fc.Arbitrary<unknown> {
  const keys = Object.entries((schema.keys ?? {}) as Record<string, Joi.Description>);
  const required = keys.filter(([, { flags }]) => {
    return (flags as { presence?: string } | undefined)?.presence === 'required';
  });
  const known = fc.record(
    Object.fromEntries(keys.map(([name, value]) => [name, describedBy(value, ids)])),
    { requiredKeys: required.map(([name]) => name) },
  );
  const forbidden = fc.dictionary(fc.constantFrom(...FORBIDDEN_KEYS), hostile, { maxKeys: 2 });
  return fc.oneof(
    { weight: 5, arbitrary: known },
    {
      weight: 1,
      arbitrary: fc.tuple(known, forbidden).map(([one, other]) => ({ ...one, ...other })),
    },
  );
}

function rules(schema: Joi.Description): { name: string; args?: { limit?: unknown } }[] {
  return (schema['rules'] as { name: string; args?: { limit?: unknown } }[] | undefined) ?? [];
}

function hasRule(schema: Joi.Description, name: string): boolean {
  return rules(schema).some((rule) => rule.name === name);
}

function limit(schema: Joi.Description, name: 'min' | 'max', otherwise: number): number {
  const value = rules(schema).find((rule) => rule.name === name)?.args?.limit;
  return typeof value === 'number' ? value : otherwise;
}

function isPlain(value: unknown): boolean {
  return value === null || typeof value !== 'object';
}
