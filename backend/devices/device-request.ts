import type { DeviceIdentity } from '../host-contract.ts';

/** A request of the device API with everything about it that was checked before its route is asked. */
export interface DeviceRequest {
  device: DeviceIdentity;
  query: unknown;
  /** What stands for `:id` in the path. */
  id: unknown;
  body: unknown;
}

export interface DeviceResponse {
  status: number;
  body: object;
}
