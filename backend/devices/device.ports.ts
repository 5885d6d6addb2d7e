import type { DevicePage } from '../contract/admin-api.ts';
import type { OpenTarget } from './update-offer.ts';

/** An open target with everything an offer carries. */
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

export interface DeviceRepository {
  /** Unfinished targets of these devices and those to be rolled back, in one statement. */
  findOpenTargets(deviceIds: string[]): Promise<OfferedTarget[]>;
}

export interface FleetQuery {
  search?: string | undefined;
  deviceType?: string | undefined;
  status?: string | undefined;
  afterId?: string | undefined;
  limit: number;
}

/** The organization's devices, to pick targets from. */
export interface FleetRepository {
  page(organizationId: string, query: FleetQuery): Promise<DevicePage>;
}
