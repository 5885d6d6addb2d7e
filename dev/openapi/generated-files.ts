/** What is made from the routes and checked in. */
import path from 'node:path';

import openapiTypes, { astToString, type OpenAPI3 } from 'openapi-typescript';
import { format, resolveConfig } from 'prettier';

import { openApiDocument } from './document.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const DOCUMENT = path.join(ROOT, 'docs/openapi.json');
const CLIENT_TYPES = path.join(ROOT, 'backend/contract/generated/openapi.ts');

const HEAD =
  '/** The API as types, for `openapi-fetch`. Made by `npm run openapi`; not to be edited. */\n';

export interface GeneratedFile {
  /** Absolute path. */
  file: string;
  content: string;
}

export async function generatedFiles(): Promise<GeneratedFile[]> {
  const document = await openApiDocument();
  const types = astToString(
    await openapiTypes(document as unknown as OpenAPI3, { alphabetize: false }),
  );
  return [
    { file: DOCUMENT, content: await formatted(DOCUMENT, JSON.stringify(document)) },
    { file: CLIENT_TYPES, content: await formatted(CLIENT_TYPES, HEAD + types) },
  ];
}

async function formatted(file: string, content: string): Promise<string> {
  return format(content, { ...(await resolveConfig(file)), filepath: file });
}
