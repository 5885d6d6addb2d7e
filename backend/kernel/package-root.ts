import { existsSync } from 'node:fs';
import path from 'node:path';

/** Where `plugin.json` lies, and what is shipped beside it. */
export const PACKAGE_ROOT = folderOf('plugin.json', import.meta.dirname);

/** Compiled and source files lie at different depths below it. */
function folderOf(file: string, folder: string): string {
  if (existsSync(path.join(folder, file))) return folder;
  const parent = path.dirname(folder);
  if (parent === folder) throw new Error(`${file} was not found above the plugin`);
  return folderOf(file, parent);
}
