/** Serves the files of the shell, the libraries that all pages share, and the files of plugins. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import express, { Router, type RequestHandler, type Response } from 'express';

import type { NavigationPage } from '../../host-contract.ts';
import type { NavigationPages } from '../host/navigation-pages.ts';
import { ASSET_OPTIONS, compressed, setCaching, setVersionedCaching } from '../host/page-assets.ts';
import { LIBRARIES, servedLibraryFile } from './libraries.ts';

/** What browsers load; `shell.html` is the template of the document. */
export const BROWSER_FOLDER = path.join(import.meta.dirname, 'browser');

/**
 * Hash of every file of the shell and of the libraries. It stands in their paths as a folder, so that relative
 * imports stay within one version, and a browser may keep the files forever.
 */
const VERSION = versionOf([
  ...readdirSync(BROWSER_FOLDER, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort(),
  ...LIBRARIES.map(servedLibraryFile),
]);

/** A page as the shell in the browser needs it. `module` and `style` are URLs. */
export interface ListedPage {
  id: string;
  title: string;
  icon: string;
  section: string;
  path: string;
  module: string;
  style: string | null;
}

/** URL of a file of the shell, e.g. `shell.js`. `prefix`: of {@link shellFiles}, as the browser sees it. */
export function shellFileUrl(prefix: string, file: string): string {
  return `${prefix}/shell/${VERSION}/${file}`;
}

/** For the document's import map. */
export function libraryUrls(prefix: string): Record<string, string> {
  return Object.fromEntries(
    LIBRARIES.map((library) => [library, `${prefix}/vendor/${VERSION}/${library}.js`]),
  );
}

/** @param prefix of {@link shellFiles}, as the browser sees it */
export function listedPage(prefix: string, page: NavigationPage): ListedPage {
  const at = (file: string): string => {
    const relative = path.relative(path.dirname(page.module), file);
    return `${prefix}/plugins/${page.id}/${relative.split(path.sep).join('/')}`;
  };
  const { id, title, icon, section } = page;
  return {
    ...{ id, title, icon, section },
    path: page.path,
    module: at(page.module),
    style: at(page.style),
  };
}

/** Mounted at the prefix. Paths below it: `shell/<version>/…`, `vendor/<version>/…`, `plugins/<page id>/…`. */
export function shellFiles(pages: NavigationPages): Router {
  const router = Router().use(['/vendor', '/shell', '/plugins'], compressed);
  for (const library of LIBRARIES) {
    const file = servedLibraryFile(library);
    router.get(`/vendor/:version/${library}.js`, (request, response) => {
      cacheVersion(request.params.version, response);
      response.sendFile(file, ASSET_OPTIONS);
    });
  }
  const files = express.static(BROWSER_FOLDER, { ...ASSET_OPTIONS, index: false });
  return router
    .use('/shell/:version', (request, response, next) => {
      cacheVersion(request.params.version, response);
      void files(request as never, response, (error?: unknown) => {
        // The error response that follows must not be kept.
        response.removeHeader('Cache-Control');
        next(error);
      });
    })
    .use('/plugins/:id', pluginFiles(pages));
}

/**
 * Other versions get the current files, too: while processes are being replaced, the document may come from one and
 * its files from another. Browsers must not keep those.
 */
function cacheVersion(version: string, response: Response): void {
  setVersionedCaching(response, version === VERSION);
}

/** Serves the whole folder of the module, because it may import chunks. */
function pluginFiles(pages: NavigationPages): RequestHandler<{ id: string }> {
  const folders = new WeakMap<NavigationPage, RequestHandler>();
  return (request, response, next) => {
    const page = pages.find(request.params.id);
    if (!page) {
      next();
      return;
    }
    let serve = folders.get(page);
    if (!serve) {
      serve = express.static(path.dirname(page.module), {
        ...ASSET_OPTIONS,
        index: false,
        setHeaders: setCaching,
      });
      folders.set(page, serve);
    }
    void serve(request as never, response, next);
  };
}

function versionOf(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${path.basename(file)}\n`).update(readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}
