/**
 * Whether a row of `edge_devices` is a registered device (docs/contract.md, Words). A device that never registered has no
 * hardware id, or one that begins with `pending-`, or the status `pending`.
 *
 * @param device the alias of `edge_devices` in the statement
 */
export const isRegistered = (device: string): string =>
  `(${device}.device_id IS NOT NULL AND ${device}.device_id::text NOT LIKE 'pending-%'
     AND ${device}.status::text IS DISTINCT FROM 'pending')`;
