/** Compression and caching of page files. */
import type { ServerResponse } from 'node:http';

import compression from 'compression';
import type { RequestHandler } from 'express';

/** Files whose name contains a content hash, e.g. `chunks/Detail-sVwxo1Vy.js`. */
const HASHED = /[\\/]chunks[\\/][^\\/]+-[\w-]{8}\.(?:js|css)$/;
const FOREVER = 'public, max-age=31536000, immutable';
/** Browsers revalidate each time and get a 304 until a new version is installed. */
const REVALIDATED = 'no-cache';

/** For page files only: API responses are small, and compression would buffer events. */
export const compressed: RequestHandler = compression();

/** Options of `express.static` and `sendFile`. */
export const ASSET_OPTIONS = { cacheControl: false, etag: true } as const;

/** The `setHeaders` of `express.static`. */
export function setCaching(response: ServerResponse, file: string): void {
  setVersionedCaching(response, HASHED.test(file));
}

/** @param immutable whether the path contains a hash of the content */
export function setVersionedCaching(response: ServerResponse, immutable: boolean): void {
  response.setHeader('Cache-Control', immutable ? FOREVER : REVALIDATED);
}
