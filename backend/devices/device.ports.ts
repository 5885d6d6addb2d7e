import type { Transaction } from '../kernel/unit-of-work.ts';
import type { OpenTarget } from './poll-decision.ts';
import { token } from '../kernel/token.ts';

/** An open target with everything an offer carries: empty until the target is released. */
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

/** A device that asks, and what it says it runs. */
export interface PollingDevice {
  deviceId: string;
  version: string | null;
}

/** What is known of a device that asks. */
export interface DeviceRecord {
  /** Unfinished targets, and those to be rolled back. */
  open: OfferedTarget[];
  /** Where the version that is recorded is written in another way than what the device says. */
  recorded?: { version: string | null };
}

/** A device runs another version than recorded, and no update of ours made it so. */
export interface VersionChange {
  organizationId: string;
  deviceId: string;
  recorded: string | null;
  reported: string;
}

export interface DeviceRepository {
  /** Each device once; by its id, in one statement. Devices of which there is nothing to say are left out. */
  lookUp(asking: PollingDevice[]): Promise<Map<string, DeviceRecord>>;
  /**
   * Writes what devices run, unless somebody else has written it meanwhile. Answers those that were written, with
   * the newest deployment that they have been through, if any.
   */
  recordVersions(
    tx: Transaction,
    changes: VersionChange[],
  ): Promise<(VersionChange & { deploymentId: string | null })[]>;
}
export const DeviceRepository = token<DeviceRepository>('DeviceRepository');
