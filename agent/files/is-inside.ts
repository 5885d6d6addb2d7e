import { isAbsolute, relative } from 'node:path';

/** Whether the path is the folder or below it. Both absolute; symbolic links are not followed. Pure. */
export function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || (!way.startsWith('..') && !isAbsolute(way));
}
