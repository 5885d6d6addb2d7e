import type { RequestHandler } from 'express';
import { PACKAGE_ROOT } from '../kernel/package-root.ts';

/** Sends the OpenAPI document that is shipped with this version. */
export const openApiDocument: RequestHandler = (_request, response) => {
  response.sendFile('docs/openapi.json', { root: PACKAGE_ROOT, cacheControl: false });
};
