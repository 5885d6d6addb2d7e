import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { NavigationPage } from './host-contract.ts';
import { PACKAGE_ROOT } from './kernel/package-root.ts';

/** The part of `plugin.json` that the plugin itself reads. */
interface Manifest {
  page: Omit<NavigationPage, 'module' | 'style'> & { module: string; style: string };
}

/** The page that `plugin.json` declares, with absolute file paths. */
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
