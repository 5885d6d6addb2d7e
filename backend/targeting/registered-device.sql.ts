/**
 * Whether a row of the host's devices is a device (docs/contract.md, Words). One that was only announced has no
 * hardware id yet, or one that begins with `pending-`, or the status `pending`: it has never registered
 * and cannot poll.
 *
 * @param device how the statement calls `edge_devices`
 */
export const isRegistered = (device: string): string =>
  `(${device}.device_id IS NOT NULL AND ${device}.device_id::text NOT LIKE 'pending-%'
     AND ${device}.status::text IS DISTINCT FROM 'pending')`;
