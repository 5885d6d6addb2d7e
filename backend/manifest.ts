import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { NavigationPage } from './host-contract.ts';

/** The part of `plugin.json` that the plugin itself needs. */
interface Manifest {
  page: Omit<NavigationPage, 'module' | 'style'> & { module: string; style: string };
}

/** Where `plugin.json` lies, and what is shipped beside it. */
export const PACKAGE_ROOT = folderOf('plugin.json', import.meta.dirname);

/** The page as `plugin.json` declares it, with the absolute paths of its files. */
export function readPage(): NavigationPage {
  const { page } = JSON.parse(
    readFileSync(path.join(PACKAGE_ROOT, 'plugin.json'), 'utf8'),
  ) as Manifest;
  return {
    ...page,
    module: path.join(PACKAGE_ROOT, page.module),
    style: path.join(PACKAGE_ROOT, page.style),
  };
}

/** Compiled and source files lie at different depths below it. */
function folderOf(file: string, folder: string): string {
  if (existsSync(path.join(folder, file))) return folder;
  const parent = path.dirname(folder);
  if (parent === folder) throw new Error(`${file} was not found above the plugin`);
  return folderOf(file, parent);
}
