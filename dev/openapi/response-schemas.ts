/** JSON Schemas of the responses, generated from the types that server, page and agent use. */
import path from 'node:path';

import { createGenerator } from 'ts-json-schema-generator';

import type { JsonSchema } from './request-schema.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const POINTER = '#/definitions/';
export const COMPONENTS = '#/components/schemas/';

/** The schemas of types in `backend/contract/` and of all types they use, by name. */
export function responseSchemas(names: readonly string[]): Record<string, JsonSchema> {
  const generator = createGenerator({
    path: path.join(ROOT, 'backend/contract/*.ts'),
    tsconfig: path.join(ROOT, 'tsconfig.json'),
    // `npm run check` checks types.
    skipTypeCheck: true,
    // Later versions may add fields; clients must accept them.
    additionalProperties: true,
    expose: 'export',
    topRef: true,
  });
  const schemas: Record<string, JsonSchema> = {};
  for (const name of names) {
    Object.assign(schemas, generator.createSchema(name).definitions);
  }
  const sorted = Object.entries(schemas).sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.parse(
    JSON.stringify(Object.fromEntries(sorted)).replaceAll(`"${POINTER}`, `"${COMPONENTS}`),
  ) as Record<string, JsonSchema>;
}
