import type { Transaction } from '../kernel/unit-of-work.ts';
import type { DeviceProfile } from './device-profile.ts';
import type { OpenTarget } from '../deployments/rules/poll-decision.ts';
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

/** A device that polls, and what it reports. */
export interface PollingDevice {
  deviceId: string;
  organizationId: string;
  version: string | null;
  profile: DeviceProfile | null;
}

/** What is stored about a device that polls. */
export interface DeviceRecord {
  /** Its unfinished targets, and those with a requested rollback. */
  open: OfferedTarget[];
  /** The recorded version, if its text differs from the reported one. */
  recorded?: { version: string | null };
  /** The reported profile differs from the recorded one. */
  hasNewProfile: boolean;
}

/** A device reports another version than the recorded one, and no update of ours changed it. */
export interface ExternalVersionChange {
  organizationId: string;
  deviceId: string;
  recorded: string | null;
  reported: string;
}

/** The profile that a device has reported. What is `null` in it stays as it is recorded. */
export interface ReportedProfile extends DeviceProfile {
  organizationId: string;
  deviceId: string;
}

export interface DeviceRepository {
  /**
   * Reads what is stored about devices, by id, in one statement. `polling` must not contain a device twice. Devices
   * without open targets whose recorded version and profile equal the reported ones are left out.
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
  /** Records profiles of devices that belong to the organization. `profiles` must not contain a device twice. */
  recordProfiles(tx: Transaction, profiles: ReportedProfile[]): Promise<void>;
}
export const DeviceRepository = token<DeviceRepository>('DeviceRepository');
