import { existsSync } from 'node:fs';
import path from 'node:path';

/** The folder of `plugin.json`, the root of the package. */
export const PACKAGE_ROOT = folderOf('plugin.json', import.meta.dirname);

/** Searches upwards, because compiled and source files lie at different depths. */
function folderOf(file: string, folder: string): string {
  if (existsSync(path.join(folder, file))) return folder;
  const parent = path.dirname(folder);
  if (parent === folder) throw new Error(`${file} was not found above the plugin`);
  return folderOf(file, parent);
}
