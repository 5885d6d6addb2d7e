/** SQL fragments about targets that several repositories share. */
import { isRegistered } from '../../targeting/registered-device.sql.ts';

/** Statuses of unfinished targets. Partial indexes have the same literals. */
export const UNFINISHED = `('pending', 'downloading', 'installing', 'verifying')`;

/** Joins the batch of the target `t`. */
export const BATCH_OF_TARGET = `
  CROSS JOIN LATERAL (
    SELECT number, release_requested_at, released_at FROM ota_deployment_batches
    WHERE deployment_id = t.deployment_id AND first_position <= t.position
    ORDER BY number DESC LIMIT 1
  ) batch`;

/** Whether two deployments may be for the same product, as `isSameProduct` decides. */
export const isSameProduct = (one: string, other: string): string =>
  `(${one}.package_name <> ${other}.package_name) IS NOT TRUE`;

/**
 * Whether a device has completed a deployment of the same product that is newer than `own`. OFFSET 0 forces lookups by primary key, because the
 * planner's statistics are wrong when the table has just grown.
 */
export const completedNewer = (deviceId: string, own: string) => `EXISTS (
    SELECT 1 FROM ota_deployments newer
    CROSS JOIN LATERAL (
      SELECT 1 FROM ota_deployment_devices other
      WHERE other.deployment_id = newer.id AND other.device_id = ${deviceId}
        AND other.status = 'completed' OFFSET 0
    ) done
    WHERE newer.organization_id = ${own}.organization_id
      AND (newer.created_at, newer.id) > (${own}.created_at, ${own}.id)
      AND ${isSameProduct('newer', own)})`;

/** Whether the device of the target `t` has completed a newer deployment of the same product. */
const IS_SUPERSEDED = `EXISTS (
    SELECT 1 FROM ota_deployments own
    WHERE own.id = t.deployment_id AND ${completedNewer('t.device_id', 'own')})`;

/**
 * Why the device of a target is gone, or NULL (docs/contract.md, States). `device` must be left-joined by its id
 * alone.
 */
export const goneReason = (device: string, deployment: string): string => `CASE
    WHEN ${device}.id IS NULL THEN 'removed'
    WHEN ${device}.organization_id <> ${deployment}.organization_id THEN 'moved'
    WHEN NOT ${isRegistered(device)} THEN 'not_registered' END`;

/** Whether the device of the target `t` is not gone. */
const HAS_DEVICE = `EXISTS (
    SELECT 1 FROM ota_deployments own JOIN edge_devices device ON device.id = t.device_id
    WHERE own.id = t.deployment_id AND ${goneReason('device', 'own')} IS NULL)`;

/**
 * Whether the failed or rolled back target `t` may be retried: no rollback is requested, and its device is not gone and
 * has not completed a newer deployment.
 */
export const IS_RETRYABLE = `(t.rollback_version IS NULL AND NOT ${IS_SUPERSEDED} AND ${HAS_DEVICE})`;

/** Joins the device of the target `t` if it belongs to the organization; binds the organization's id. */
export const JOIN_OWN_DEVICE = `
  LEFT JOIN LATERAL (
    SELECT id, organization_id, device_id, device_name, device_type, firmware_version FROM edge_devices
    -- OFFSET 0 forces one index lookup per target. Before the host's table has statistics, the planner would compare
    -- each target with every device of the organization.
    WHERE id = t.device_id AND organization_id = ? OFFSET 0
  ) device ON true`;
