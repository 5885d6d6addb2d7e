/** JSON Schemas of what the routes answer, from the types that server, page and agent are compiled with. */
import path from 'node:path';

import { createGenerator } from 'ts-json-schema-generator';

import type { JsonSchema } from './request-schema.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const POINTER = '#/definitions/';
export const COMPONENTS = '#/components/schemas/';

/** The schema of each named type of `backend/contract/` and of every type that it is made of. */
export function answerSchemas(names: readonly string[]): Record<string, JsonSchema> {
  const generator = createGenerator({
    path: path.join(ROOT, 'backend/contract/*.ts'),
    tsconfig: path.join(ROOT, 'tsconfig.json'),
    // `npm run check` has seen to that.
    skipTypeCheck: true,
    // A later version may answer more; clients must not break on it.
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
