/** Parts of statements about targets that more than one repository needs. */

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
export const IS_OVERTAKEN = `EXISTS (
    SELECT 1 FROM ota_deployments own
    WHERE own.id = t.deployment_id AND ${completedNewer('t.device_id', 'own')})`;
