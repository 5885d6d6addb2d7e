/** Files by which `install.sh` tells the agent something. */
import { lstat } from 'node:fs/promises';
import { errorCode } from '../../files/durable-file.ts';
import { headOf } from '../../files/file-head.ts';
import { plainText } from '../process/limited-output.ts';

/**
 * @param limit bytes
 * @returns the beginning of the file; `null` when the script created none
 */
export async function readScriptFile(path: string, limit: number): Promise<string | null> {
  try {
    // A script may have created anything there; reading a pipe would never end.
    if (!(await lstat(path)).isFile()) return null;
    return plainText(await headOf(path, limit));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
}
