/** Parts of statements about targets that more than one repository needs. */
import { isRegistered } from '../../targeting/registered-device.sql.ts';

/** Statuses of a target that has not finished; the literals are those of partial indexes. */
export const UNFINISHED = `('pending', 'downloading', 'installing', 'verifying')`;

/** The batch that holds a target's position. */
export const BATCH_OF_TARGET = `
  CROSS JOIN LATERAL (
    SELECT number, released_at FROM ota_deployment_batches
    WHERE deployment_id = t.deployment_id AND first_position <= t.position
    ORDER BY number DESC LIMIT 1
  ) batch`;

/**
 * Whether a device has completed a deployment created after `own`. OFFSET 0 keeps the lookups one by
 * one over the primary key, whatever the planner believes of a table that has just grown.
 */
export const completedNewer = (deviceId: string, own: string) => `EXISTS (
    SELECT 1 FROM ota_deployments newer
    CROSS JOIN LATERAL (
      SELECT 1 FROM ota_deployment_devices other
      WHERE other.deployment_id = newer.id AND other.device_id = ${deviceId}
        AND other.status = 'completed' OFFSET 0
    ) done
    WHERE newer.organization_id = ${own}.organization_id
      AND (newer.created_at, newer.id) > (${own}.created_at, ${own}.id))`;

/** Whether a target's device has completed a deployment created after the target's. */
const IS_SUPERSEDED = `EXISTS (
    SELECT 1 FROM ota_deployments own
    WHERE own.id = t.deployment_id AND ${completedNewer('t.device_id', 'own')})`;

/**
 * Why the device of a target is none of the deployment's organization any more, or null (docs/contract.md,
 * States). `device` is joined by its id alone, and may be missing.
 */
export const goneReason = (device: string, deployment: string): string => `CASE
    WHEN ${device}.id IS NULL THEN 'removed'
    WHEN ${device}.organization_id <> ${deployment}.organization_id THEN 'moved'
    WHEN NOT ${isRegistered(device)} THEN 'not_registered' END`;

/** Whether the target `t` still has its device. */
const HAS_DEVICE = `EXISTS (
    SELECT 1 FROM ota_deployments own JOIN edge_devices device ON device.id = t.device_id
    WHERE own.id = t.deployment_id AND ${goneReason('device', 'own')} IS NULL)`;

/**
 * Whether a retry may take the target `t` up again, once it failed or rolled back: its device is there, has not
 * completed a newer deployment, and is not asked to roll back.
 */
export const IS_RETRYABLE = `(t.rollback_version IS NULL AND NOT ${IS_SUPERSEDED} AND ${HAS_DEVICE})`;

/** The device of the target `t` while it is the organization's; takes the organization's id. */
export const JOIN_OWN_DEVICE =
  'LEFT JOIN edge_devices device ON device.id = t.device_id AND device.organization_id = ?';
