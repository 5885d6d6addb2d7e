/** How the files of pages are sent: compressed, and cached as long as their names allow. */
import type { ServerResponse } from 'node:http';

import compression from 'compression';
import type { RequestHandler } from 'express';

/** Chunks as bundlers name them, `chunks/Detail-sVwxo1Vy.js`: other content has another name. */
const HASHED = /[\\/]chunks[\\/][^\\/]+-[\w-]{8}\.(?:js|css)$/;
const FOREVER = 'public, max-age=31536000, immutable';
/** Kept, but asked for each time: the answer is 304 until a new version is installed. */
const REVALIDATED = 'no-cache';

/** For the paths of page files only: API answers are small, and an event must not wait in a buffer. */
export const compressed: RequestHandler = compression();

/** Options of `express.static` and `sendFile`. */
export const ASSET_OPTIONS = { cacheControl: false, etag: true } as const;

/** The `setHeaders` of `express.static`. */
export function setCaching(response: ServerResponse, file: string): void {
  response.setHeader('Cache-Control', HASHED.test(file) ? FOREVER : REVALIDATED);
}
