import type { Knex } from 'knex';

/**
 * Halves the cost of writing a target:
 *
 * - Drops the foreign key to deployments. Checking it row by row took a quarter of the time to create a
 *   deployment for a million devices. A trigger deletes the targets of a deleted deployment instead.
 * - Drops foreign keys to devices, which an Ops-Center may have. They deleted targets without updating the
 *   counters; targets of removed devices are now skipped.
 * - Drops the index on position. Pages of targets use the index on status, which includes the position.
 */
export async function up(knex: Knex): Promise<void> {
  const keys = await foreignKeys(knex);
  for (const { name } of keys) {
    await knex.raw('ALTER TABLE ota_deployment_devices DROP CONSTRAINT ??', [name]);
  }
  await knex.raw(`
    CREATE FUNCTION ota_delete_targets() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      DELETE FROM ota_deployment_devices t USING deleted WHERE t.deployment_id = deleted.id;
      RETURN NULL;
    END $$`);
  await knex.raw(`
    CREATE TRIGGER ota_delete_targets AFTER DELETE ON ota_deployments
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION ota_delete_targets()`);
  // For `down`: names and definitions differ between installations.
  await knex.raw(
    `COMMENT ON FUNCTION ota_delete_targets() IS '${JSON.stringify(keys).replaceAll(`'`, `''`)}'`,
  );
  await knex.raw('DROP INDEX ota_targets_position_idx');
}

export async function down(knex: Knex): Promise<void> {
  await knex.raw(`
    CREATE UNIQUE INDEX ota_targets_position_idx ON ota_deployment_devices (deployment_id, position)`);
  const { rows } = await knex.raw<{ rows: { keys: string }[] }>(
    `SELECT obj_description('ota_delete_targets()'::regprocedure, 'pg_proc') AS keys`,
  );
  await knex.raw('DROP TRIGGER ota_delete_targets ON ota_deployments');
  await knex.raw('DROP FUNCTION ota_delete_targets()');
  for (const { name, definition } of JSON.parse(rows[0]?.keys ?? '[]') as ForeignKey[]) {
    if (definition.includes('REFERENCES edge_devices')) await deleteTargetsOfNobody(knex);
    await knex.raw(`ALTER TABLE ota_deployment_devices ADD CONSTRAINT ?? ${definition}`, [name]);
  }
}

interface ForeignKey {
  name: string;
  /** E.g. `FOREIGN KEY (deployment_id) REFERENCES ota_deployments(id) ON DELETE CASCADE`. */
  definition: string;
}

async function deleteTargetsOfNobody(knex: Knex): Promise<void> {
  await knex.raw(`
    DELETE FROM ota_deployment_devices t
    WHERE NOT EXISTS (SELECT 1 FROM edge_devices device WHERE device.id = t.device_id)`);
}

/** All foreign keys of the targets table. */
async function foreignKeys(knex: Knex): Promise<ForeignKey[]> {
  const { rows } = await knex.raw<{ rows: ForeignKey[] }>(
    `SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
     WHERE conrelid = 'ota_deployment_devices'::regclass AND contype = 'f'
     ORDER BY conname`,
  );
  return rows;
}
