import { token } from '../kernel/token.ts';

/** The devices to count: all of an organization, or those of one deployment. */
export interface CensusScope {
  organizationId: string;
  deployment: { id: string; targetVersion: string; packageName: string | null } | null;
}

/** The number of devices with the same type, versions and wanted version. */
export interface CensusGroup {
  deviceType: string | null;
  /** The version of the main product; in the scope of one deployment, of its product. */
  version: string | null;
  /**
   * The target version of the newest deployment of the device that is completed, in progress or paused; `null`: there is
   * none. In the scope of one deployment: its target version.
   */
  wanted: string | null;
  /** The version of the product that `wanted` is about; absent in a census of the previous release. */
  installed?: string | null;
  devices: number;
}

/** A count of devices. */
export interface Census {
  /** By the database's clock. */
  countedAt: Date;
  groups: CensusGroup[];
}

export interface CensusRepository {
  /** Counts up to `limit` devices; `null`: there are more. */
  countUpTo(scope: CensusScope, limit: number): Promise<Census | null>;
  /** Counts all devices, which takes seconds for a million. Rejects if `signal` is aborted. */
  countAll(scope: CensusScope, signal: AbortSignal): Promise<Census>;
  /** The latest census that was saved. */
  findLatest(scope: CensusScope): Promise<Census | null>;
  /**
   * Claims the next census. Resolves to false if another process is counting, or the latest census is still recent
   * compared with its duration.
   */
  claim(scope: CensusScope): Promise<boolean>;
  save(scope: CensusScope, census: Census): Promise<void>;
}
export const CensusRepository = token<CensusRepository>('CensusRepository');
