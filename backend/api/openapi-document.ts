import type { RequestHandler } from 'express';
import { PACKAGE_ROOT } from '../kernel/package-root.ts';

/** The OpenAPI document of this version, as it is shipped. */
export const openApiDocument: RequestHandler = (_request, response) => {
  response.sendFile('docs/openapi.json', { root: PACKAGE_ROOT, cacheControl: false });
};
