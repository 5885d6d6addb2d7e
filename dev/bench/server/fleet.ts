/** The benchmark's fleet: devices by number, in parts that get one deployment each. */
import type { Request } from 'autocannon';

import { CONNECTIONS } from './load.ts';
import { deviceOf, PROTECTION, versionOf } from './testbed.ts';

/** A part of the fleet, with its own device type. */
export interface Part {
  type: string;
  size: number;
  /** Number of its first device. */
  first: number;
}

/** Devices of the largest part; more than a million take time and disk: 10 million take about 10 GB. */
const LARGEST = Number(process.env['OTA_BENCH_DEVICES'] ?? 1_000_000);
const SIZES = [10_000, 100_000, LARGEST];

export const PARTS: readonly Part[] = SIZES.map((size, index) => ({
  type: `fleet_of_${size}`,
  size,
  first: SIZES.slice(0, index).reduce((sum, one) => sum + one, 0),
}));

export const [SMALL, , LARGE] = PARTS as [Part, Part, Part];

/** The poll of an agent that runs the recorded version. */
export function pollOf(number: number): { path: string; headers: Record<string, string> } {
  const device = deviceOf(number);
  return {
    path:
      `/api/v1/ota/check-update?device_id=${device.id}` +
      `&current_version=${versionOf(number)}&protection=${PROTECTION}`,
    headers: { authorization: `Bearer ${device.token}` },
  };
}

/** For names of figures, e.g. `1,000,000`. */
export const LARGE_COUNT = LARGE.size.toLocaleString('en-US');

/** Polls of different devices of a part, by connection. */
export function pollsOf(part: Part, perConnection: number): (connection: number) => Request[] {
  return (connection) =>
    Array.from({ length: perConnection }, (_, index) => ({
      method: 'GET' as const,
      ...pollOf(part.first + ((connection * perConnection + index) % part.size)),
    }));
}

const STEPS = ['downloading', 'installing', 'verifying', 'completed'] as const;

/**
 * All reports of an update, by connection, each from different devices.
 *
 * @param first number of the first device
 * @param perConnection devices per connection
 */
export function reportsOf(
  deploymentId: string,
  first: number,
  perConnection: number,
): (connection: number) => Request[] {
  return (connection) =>
    STEPS.flatMap((status) =>
      Array.from({ length: perConnection }, (_, index) => {
        const device = deviceOf(first + connection * perConnection + index);
        return {
          method: 'POST' as const,
          path: `/api/v1/ota/deployments/${deploymentId}/status?device_id=${device.id}`,
          headers: {
            authorization: `Bearer ${device.token}`,
            'content-type': 'application/json',
          },
          body: JSON.stringify({ status, attempt: 1 }),
        };
      }),
    );
}

/** Number of reports that {@link reportsOf} returns for all connections. */
export function reportsIn(perConnection: number): number {
  return CONNECTIONS * perConnection * STEPS.length;
}
