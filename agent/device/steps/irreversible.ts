/**
 * What a rollback cannot undo (a modem flashed, a fuse blown), as `install.sh` declares it while it runs: one
 * line each in the file named by `OTA_IRREVERSIBLE`. The file is in the snapshot's folder, and is removed
 * together with the snapshot.
 */
import { join } from 'node:path';
import { readScriptFile } from './script-file.ts';

/** The environment variable with the path of that file. */
export const IRREVERSIBLE_VARIABLE = 'OTA_IRREVERSIBLE';
const MAX_BYTES = 2000;

/** @param snapshot the snapshot's folder */
export function irreversibleFile(snapshot: string): string {
  return join(snapshot, 'irreversible');
}

/** One sentence for the report, or an empty text when nothing was declared. */
export async function describeIrreversible(snapshot: string): Promise<string> {
  const text = (await readScriptFile(irreversibleFile(snapshot), MAX_BYTES)) ?? '';
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return lines.length === 0 ? '' : `Could not be undone: ${lines.join('; ')}.`;
}
