import type { Transaction } from '../kernel/unit-of-work.ts';
import type { OpenTarget } from './poll-decision.ts';
import { token } from '../kernel/token.ts';

/** An open target with the content of an offer, whose fields are empty until the target is released. */
export interface OfferedTarget extends OpenTarget {
  deviceId: string;
  organizationId: string;
  targetVersion: string;
  updatePackageUrl: string;
  checksum: string;
  releaseNotes: string;
  manifest: string | null;
  signature: string | null;
}

/** A device that polls, and the version that it reports. */
export interface PollingDevice {
  deviceId: string;
  version: string | null;
}

/** What is stored about a device that polls. */
export interface DeviceRecord {
  /** Its unfinished targets, and those with a requested rollback. */
  open: OfferedTarget[];
  /** The recorded version, if its text differs from the reported one. */
  recorded?: { version: string | null };
}

/** A device reports another version than the recorded one, and no update of ours changed it. */
export interface ExternalVersionChange {
  organizationId: string;
  deviceId: string;
  recorded: string | null;
  reported: string;
}

export interface DeviceRepository {
  /**
   * Reads what is stored about devices, by id, in one statement. `polling` must not contain a device twice. Devices
   * without open targets whose recorded version equals the reported one are left out.
   */
  lookUp(polling: PollingDevice[]): Promise<Map<string, DeviceRecord>>;
  /**
   * Records versions, unless they have been changed meanwhile. Resolves to the changes that were made, each with the
   * newest deployment that finished on the device, if any.
   */
  recordVersions(
    tx: Transaction,
    changes: ExternalVersionChange[],
  ): Promise<(ExternalVersionChange & { deploymentId: string | null })[]>;
}
export const DeviceRepository = token<DeviceRepository>('DeviceRepository');
