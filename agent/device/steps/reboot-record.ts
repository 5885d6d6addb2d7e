/**
 * What an update with a reboot has to remember for its rollback, in the snapshot's folder: it survives a
 * damaged journal, and lives exactly as long as the snapshot.
 */
import { join } from 'node:path';
import { readIfPresent, writeDurable } from '../../files/durable-file.ts';
import type { BootTarget } from '../boot/boot-adapter.ts';

export interface RebootRecord {
  /** Boot id of the system in which `install.sh` ran. */
  installed_in: string;
  target: BootTarget;
}

/** @param snapshot the snapshot's folder */
export async function writeRebootRecord(snapshot: string, record: RebootRecord): Promise<void> {
  await writeDurable(fileOf(snapshot), JSON.stringify(record));
}

/** `null`: the update did not need a reboot. */
export async function readRebootRecord(snapshot: string): Promise<RebootRecord | null> {
  const text = await readIfPresent(fileOf(snapshot));
  return text === null ? null : (JSON.parse(text) as RebootRecord);
}

function fileOf(snapshot: string): string {
  return join(snapshot, 'reboot.json');
}
