import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { NavigationPage } from './host-contract.ts';

/** The part of `plugin.json` that the plugin itself needs. */
interface Manifest {
  page: Omit<NavigationPage, 'module' | 'style'> & { module: string; style: string };
}

/** The page as `plugin.json` declares it, with the absolute paths of its files. */
export function readPage(): NavigationPage {
  const root = packageRoot(import.meta.dirname);
  const { page } = JSON.parse(readFileSync(path.join(root, 'plugin.json'), 'utf8')) as Manifest;
  return {
    ...page,
    module: path.join(root, page.module),
    style: path.join(root, page.style),
  };
}

/** Compiled and source files lie at different depths below `plugin.json`. */
function packageRoot(folder: string): string {
  if (existsSync(path.join(folder, 'plugin.json'))) return folder;
  const parent = path.dirname(folder);
  if (parent === folder) throw new Error('plugin.json was not found above the plugin');
  return packageRoot(parent);
}
