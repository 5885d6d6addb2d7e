import type { Deployment } from '../deployments/model/deployment.types.ts';
import { token } from '../kernel/token.ts';

export interface DeviceDeployments {
  deployments: Deployment[];
  /** The deployment after which the search continues; `null`: there are no more. */
  next: string | null;
}

/** Finds the deployments that a device was ever part of. */
export interface DeviceHistoryRepository {
  /**
   * Searches the deployments of the organization, newest first, until it has found `limit` of them or has looked at
   * {@link MAX_DEPLOYMENTS_SEARCHED}.
   *
   * @param after the search begins after this deployment; `null`: at the newest one
   */
  deploymentsOf(
    organizationId: string,
    deviceId: string,
    after: string | null,
    limit: number,
  ): Promise<DeviceDeployments>;
}
export const DeviceHistoryRepository = token<DeviceHistoryRepository>('DeviceHistoryRepository');

/** It bounds the time of one request. */
export const MAX_DEPLOYMENTS_SEARCHED = 2_000;
