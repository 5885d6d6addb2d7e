/**
 * Joins what a device has reported about itself, as `profile`. A row of another organization is what the device reported
 * before it moved, so it counts as absent.
 *
 * @param device the alias of `edge_devices` in the statement
 */
export const joinProfile = (device: string): string =>
  `LEFT JOIN ota_devices profile
         ON profile.device_id = ${device}.id AND profile.organization_id = ${device}.organization_id`;
