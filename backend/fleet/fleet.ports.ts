import type { DevicePage } from '../contract/admin-api.ts';
import { token } from '../kernel/token.ts';

export interface FleetQuery {
  search?: string | undefined;
  deviceType?: string | undefined;
  status?: string | undefined;
  afterId?: string | undefined;
  limit: number;
}

/** A page of devices, without the facets. */
export type DeviceListPage = Pick<DevicePage, 'devices' | 'next_cursor'>;

/** Reads the registered devices of an organization. */
export interface FleetRepository {
  /** A page of devices in the order of their ids. */
  page(organizationId: string, query: FleetQuery): Promise<DeviceListPage>;
}
export const FleetRepository = token<FleetRepository>('FleetRepository');
