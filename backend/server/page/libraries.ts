/** The libraries that the shell and all pages share, as browsers load them. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** Builds without further imports, by package; the development builds import other packages. */
const BROWSER_BUILDS = {
  vue: 'vue.runtime.esm-browser.prod.js',
  pinia: 'pinia.esm-browser.prod.js',
  'vue-router': 'vue-router.esm-browser.prod.js',
} as const;

export type Library = keyof typeof BROWSER_BUILDS;

export const LIBRARIES = Object.keys(BROWSER_BUILDS) as Library[];

/** Only in the published package, where the packages themselves are not installed. */
const COPIES = path.join(import.meta.dirname, 'vendor');

/** Absolute path of the file to serve: the copy in the published package, otherwise the installed package's. */
export function servedLibraryFile(library: Library): string {
  const copy = path.join(COPIES, `${library}.js`);
  return existsSync(copy)
    ? copy
    : path.join(packageFolder(library), 'dist', BROWSER_BUILDS[library]);
}

/** What the build copies for the library. Absolute paths. */
export function librarySource(library: Library): { script: string; licence: string } {
  const folder = packageFolder(library);
  return {
    script: path.join(folder, 'dist', BROWSER_BUILDS[library]),
    licence: path.join(folder, 'LICENSE'),
  };
}

function packageFolder(library: Library): string {
  return path.dirname(createRequire(import.meta.url).resolve(`${library}/package.json`));
}
