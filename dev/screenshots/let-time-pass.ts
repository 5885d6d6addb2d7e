import type { Knex } from 'knex';

/**
 * Moves what has just been staged into the past, as if it had taken its time: reports within a second
 * make neither a curve nor a duration. Writes to the database, because nothing else can.
 */
export async function letTimePass(knex: Knex): Promise<void> {
  await knex.raw(
    `WITH aged AS (
       SELECT id, (row_number() OVER (ORDER BY created_at DESC) * interval '47 minutes') AS age
       FROM ota_deployments
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
       completed_at = CASE WHEN t.completed_at IS NULL THEN NULL ELSE placed.began + placed.took END
     FROM placed WHERE placed.deployment_id = t.deployment_id AND placed.device_id = t.device_id`,
  );
  await knex.raw(
    `UPDATE ota_events e SET at = e.at - (
       SELECT clock_timestamp() - coalesce(d.started_at, d.created_at)
       FROM ota_deployments d WHERE d.id = e.deployment_id
     )`,
  );
}
