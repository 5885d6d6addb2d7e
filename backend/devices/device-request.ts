import type { DeviceIdentity } from '../host-contract.ts';

/** An authenticated request of the device API. */
export interface DeviceRequest {
  device: DeviceIdentity;
  query: Record<string, unknown>;
  /** The value of `:id` in the path; not validated. */
  id: unknown;
  body: unknown;
  userAgent: string | undefined;
}

export interface DeviceResponse {
  status: number;
  body: object;
}
