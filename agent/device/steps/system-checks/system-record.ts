/**
 * The state of the system before an update, in the folder of its snapshot: it survives a damaged journal, and
 * is kept exactly as long as the snapshot.
 */
import { join } from 'node:path';
import { readIfPresent, writeDurable } from '../../../files/durable-file.ts';
import type { SystemState } from './system-state.ts';

/** @param snapshot the snapshot's folder */
export async function writeSystemRecord(snapshot: string, state: SystemState): Promise<void> {
  await writeDurable(fileOf(snapshot), JSON.stringify(state));
}

/** `null`: none was written, or it cannot be read. */
export async function readSystemRecord(snapshot: string): Promise<SystemState | null> {
  try {
    const text = await readIfPresent(fileOf(snapshot));
    return text === null ? null : (JSON.parse(text) as SystemState);
  } catch {
    return null;
  }
}

function fileOf(snapshot: string): string {
  return join(snapshot, 'system.json');
}
