import type { DevicePage } from '../contract/admin-api.ts';
import { token } from '../kernel/token.ts';

export interface FleetQuery {
  search?: string | undefined;
  deviceType?: string | undefined;
  status?: string | undefined;
  afterId?: string | undefined;
  limit: number;
}

/** A page of devices, without what is counted over all of them. */
export type DeviceListPage = Pick<DevicePage, 'devices' | 'next_cursor'>;

/** The organization's devices, to pick targets from. */
export interface FleetRepository {
  page(organizationId: string, query: FleetQuery): Promise<DeviceListPage>;
}
export const FleetRepository = token<FleetRepository>('FleetRepository');
