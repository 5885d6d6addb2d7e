import type { Knex } from 'knex';

/**
 * Spreads the deployments that were just created over the past hours. Otherwise all reports would be within a
 * second, without a visible curve or duration. Deployments in progress last until now; finished ones finished
 * hours ago. Writes to the database, because the API cannot change times.
 */
export async function backdateDeployments(knex: Knex): Promise<void> {
  await knex.raw(
    `WITH begun AS (
       SELECT deployment_id, count(started_at) AS targets
       FROM ota_deployment_devices GROUP BY deployment_id
     ), aged AS (
       SELECT id, CASE status
         WHEN 'pending' THEN interval '0'
         WHEN 'in_progress' THEN begun.targets * interval '95 seconds' + interval '2 minutes'
         ELSE row_number() OVER (ORDER BY created_at DESC) * interval '47 minutes'
       END AS age
       FROM ota_deployments JOIN begun ON begun.deployment_id = id
     )
     UPDATE ota_deployments d SET
       created_at = d.created_at - aged.age - interval '9 minutes',
       started_at = d.started_at - aged.age,
       completed_at = d.completed_at - aged.age + interval '32 minutes'
     FROM aged WHERE aged.id = d.id`,
  );
  await knex.raw(
    `WITH placed AS (
       SELECT t.deployment_id, t.device_id,
              d.started_at + interval '95 seconds' * row_number() OVER (
                PARTITION BY t.deployment_id ORDER BY t.completed_at, t.device_id) AS began,
              (140 + abs(hashtext(t.device_id::text)) % 170) * interval '1 second' AS took
       FROM ota_deployment_devices t JOIN ota_deployments d ON d.id = t.deployment_id
       WHERE t.started_at IS NOT NULL
     )
     UPDATE ota_deployment_devices t SET
       started_at = placed.began,
       completed_at = CASE WHEN t.completed_at IS NULL THEN NULL
                           ELSE least(placed.began + placed.took, now()) END,
       last_report_at = CASE WHEN t.completed_at IS NULL THEN t.last_report_at
                             ELSE least(placed.began + placed.took, now()) END,
       update_ended_at = CASE WHEN t.update_ended_at IS NOT NULL
                              THEN least(placed.began + placed.took, now()) END
     FROM placed WHERE placed.deployment_id = t.deployment_id AND placed.device_id = t.device_id`,
  );
  await recount(knex);
  await knex.raw(
    `UPDATE ota_install_logs l SET at = t.completed_at
     FROM ota_deployment_devices t
     WHERE t.deployment_id = l.deployment_id AND t.device_id = l.device_id
       AND t.completed_at IS NOT NULL`,
  );
  // Creation comes first; a later batch is released when the previous batch has finished.
  await knex.raw(
    `UPDATE ota_events e SET at = CASE
       WHEN e.type = 'created' THEN d.created_at
       WHEN e.device_id IS NOT NULL THEN coalesce(
         (SELECT t.completed_at FROM ota_deployment_devices t
          WHERE t.deployment_id = e.deployment_id AND t.device_id = e.device_id), e.at)
       WHEN e.type = 'batch_released' AND (e.data->>'batch')::integer > 1 THEN coalesce(
         (SELECT max(t.completed_at)
          FROM ota_deployment_devices t JOIN ota_deployment_batches b USING (deployment_id)
          WHERE t.deployment_id = e.deployment_id
            AND b.number < (e.data->>'batch')::integer
            AND t.position < b.first_position + b.size), d.started_at)
       WHEN e.type IN ('completed', 'failed', 'cancelled', 'paused') THEN coalesce(
         d.completed_at,
         (SELECT max(t.completed_at) FROM ota_deployment_devices t
          WHERE t.deployment_id = e.deployment_id), e.at)
       ELSE coalesce(d.started_at, d.created_at)
     END
     FROM ota_deployments d WHERE d.id = e.deployment_id`,
  );
}

/** Updates the counters and sums that the product only updates with its own writes. */
async function recount(knex: Knex): Promise<void> {
  await knex.raw('DELETE FROM ota_deployment_ends');
  await knex.raw(
    `INSERT INTO ota_deployment_ends (deployment_id, at, completed, failed, rolled_back)
     SELECT d.id, ota_end_span(d.started_at, t.completed_at),
            count(*) FILTER (WHERE t.status = 'completed'),
            count(*) FILTER (WHERE t.status = 'failed'),
            count(*) FILTER (WHERE t.status = 'rolled_back')
     FROM ota_deployments d JOIN ota_deployment_devices t ON t.deployment_id = d.id
     WHERE t.status IN ('completed', 'failed', 'rolled_back') GROUP BY 1, 2`,
  );
  await knex.raw(
    `UPDATE ota_deployment_batches b SET update_seconds = (
       SELECT coalesce(sum(extract(epoch FROM t.completed_at - t.started_at)), 0)
       FROM ota_deployment_devices t
       WHERE t.deployment_id = b.deployment_id AND t.status = 'completed'
         AND t.position >= b.first_position AND t.position < b.first_position + b.size)`,
  );
}
