/** SQL fragments about what devices have reported about themselves. */

/**
 * Joins what a device has reported about itself, as `profile`. A row of another organization is what the device reported
 * before it moved, so it counts as absent.
 *
 * @param device the alias of `edge_devices` in the statement
 */
export const joinProfile = (device: string): string =>
  `LEFT JOIN ota_devices profile
         ON profile.device_id = ${device}.id AND profile.organization_id = ${device}.organization_id`;

/** Whether the device has reported components. */
export const hasComponents = (profile = 'profile'): string =>
  `(coalesce(${profile}.components, '{}') <> '{}')`;

/**
 * The version of a product on a device (docs/contract.md, Products); NULL: unknown. The version in the host's table is
 * that of the main product, so it answers for a product by name only if the device has reported no components.
 *
 * @param device the alias of `edge_devices`; its profile must be joined
 * @param packageName SQL of the product's name, or of NULL
 */
export const installedVersion = (
  device: string,
  packageName: string,
  profile = 'profile',
): string =>
  `CASE WHEN ${packageName} IS NOT NULL AND ${hasComponents(profile)} THEN ${profile}.components->>${packageName}
        ELSE ${device}.firmware_version::text END`;
