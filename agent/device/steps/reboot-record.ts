/**
 * What an update has to remember for its rollback if the device restarts, in the snapshot's folder: it survives
 * a damaged journal, and lives exactly as long as the snapshot.
 */
import { join } from 'node:path';
import { readIfPresent, writeDurable } from '../../files/durable-file.ts';
import type { BootTarget } from '../boot/boot-adapter.ts';

export interface RebootRecord {
  /** Boot id of the system in which `install.sh` ran. */
  installed_in: string;
  /** `false` until `install.sh` has requested a reboot, and if it does not. */
  requested: boolean;
  target: BootTarget;
  /** Boot id of a start in which the new system was found running when the rollback began. */
  new_runs_in?: string;
}

type StoredRecord = Omit<RebootRecord, 'requested'> & Partial<RebootRecord>;

/** @param snapshot the snapshot's folder */
export async function writeRebootRecord(snapshot: string, record: RebootRecord): Promise<void> {
  await writeDurable(fileOf(snapshot), JSON.stringify(record));
}

/** `null`: `install.sh` was never started. */
export async function readRebootRecord(snapshot: string): Promise<RebootRecord | null> {
  const text = await readIfPresent(fileOf(snapshot));
  // An older agent wrote the record only after a request.
  return text === null ? null : { requested: true, ...(JSON.parse(text) as StoredRecord) };
}

function fileOf(snapshot: string): string {
  return join(snapshot, 'reboot.json');
}
