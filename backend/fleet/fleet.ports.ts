import type { DeviceDetail, DevicePage } from '../contract/admin-api.ts';
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

/** What the host and the device itself have recorded about a device. */
export type DeviceFacts = Omit<DeviceDetail, 'last_polled_at' | 'current'>;

/** Reads the registered devices of an organization. */
export interface FleetRepository {
  /** A page of devices in the order of their ids. */
  page(organizationId: string, query: FleetQuery): Promise<DeviceListPage>;
  find(organizationId: string, id: string): Promise<DeviceFacts | null>;
}
export const FleetRepository = token<FleetRepository>('FleetRepository');
