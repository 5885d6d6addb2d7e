import { token } from '../kernel/token.ts';

/** Whose devices are counted: all of an organization, or those of one deployment. */
export interface CensusScope {
  organizationId: string;
  deployment: { id: string; targetVersion: string } | null;
}

/** Devices that have all of this in common. */
export interface CensusGroup {
  deviceType: string | null;
  version: string | null;
  /**
   * The version that the newest completed, running or paused deployment of the device wants for it; `null`: there
   * is none. Within one deployment: its version.
   */
  wanted: string | null;
  devices: number;
}

export interface Census {
  /** By the database's clock. */
  countedAt: Date;
  groups: CensusGroup[];
}

export interface CensusRepository {
  /** `null`: there are more devices than that. */
  countUpTo(scope: CensusScope, limit: number): Promise<Census | null>;
  /** Takes seconds over a million devices; rejects when `signal` is aborted. */
  countAll(scope: CensusScope, signal: AbortSignal): Promise<Census>;
  /** The last one that came to its end. */
  findLatest(scope: CensusScope): Promise<Census | null>;
  /** Whether a count is due and ours to make: nobody else is at it, and the last one is old for what it cost. */
  claim(scope: CensusScope): Promise<boolean>;
  save(scope: CensusScope, census: Census): Promise<void>;
}
export const CensusRepository = token<CensusRepository>('CensusRepository');
