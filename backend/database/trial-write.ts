import type { Knex } from 'knex';
import { DEPLOYMENT_STATUSES, ROLLOUT_STRATEGIES, TARGET_STATUSES } from '../contract/states.ts';

/** What PostgreSQL says of data that a column or a constraint does not take: classes 22 and 23. */
const NOT_TAKEN = /^2[23]/;
const LONGEST_NAME = 200;
const LONGEST_VERSION = 50;

/**
 * Tables that were there before the plugin may have columns, lengths and checks of their own. Writes
 * every state there is, as long as it may be, and takes it back: what the host's tables would refuse in
 * the middle of a rollout is said at the start, with the constraint's name.
 *
 * @throws {Error} with what the tables refuse
 */
export async function requireUsableTables(knex: Knex): Promise<void> {
  const trial = await knex.transaction();
  try {
    const organizationId = await someOrganization(trial);
    // Without an organization there is nobody to refuse anything to.
    if (organizationId !== null) await writeEverything(trial, organizationId);
  } catch (error) {
    const { code, message, detail } = error as { code?: string; message: string; detail?: string };
    if (code === undefined || !NOT_TAKEN.test(code)) throw error;
    throw new Error(
      'The tables ota_deployments and ota_deployment_devices of this database do not take what the plugin ' +
        // Knex puts the statement before it.
        `writes: ${message.split(' - ').at(-1)}${detail ? ` (${detail})` : ''}. Change or drop what refuses it, and start again.`,
      { cause: error },
    );
  } finally {
    await trial.rollback();
  }
}

async function someOrganization(trial: Knex): Promise<string | null> {
  const rows = await trial<{ id: string }>('organizations').select('id').limit(1);
  return rows[0]?.id ?? null;
}

async function writeEverything(trial: Knex, organizationId: string): Promise<void> {
  const { rows } = await trial.raw<{ rows: { id: string }[] }>(
    `INSERT INTO ota_deployments (organization_id, deployment_name, target_version, rollout_strategy,
       rollout_percentage, status, metadata)
     SELECT CAST(:organization_id AS uuid), :name, :version, strategy, percentage, status, '{}'
     FROM unnest(CAST(:strategies AS text[])) AS strategy, unnest(CAST(:statuses AS text[])) AS status,
       unnest(ARRAY[1, 100]) AS percentage
     RETURNING id`,
    {
      organization_id: organizationId,
      name: 'n'.repeat(LONGEST_NAME),
      version: 'v'.repeat(LONGEST_VERSION),
      strategies: [...ROLLOUT_STRATEGIES],
      statuses: [...DEPLOYMENT_STATUSES],
    },
  );
  await trial.raw(
    `INSERT INTO ota_deployment_devices (deployment_id, device_id, status, position, started_at,
       completed_at, error_message)
     SELECT CAST(:deployment_id AS uuid), gen_random_uuid(), status, 0, now(), now(), repeat('e', 4000)
     FROM unnest(CAST(:statuses AS text[])) AS status`,
    { deployment_id: rows[0]?.id ?? null, statuses: [...TARGET_STATUSES] },
  );
}
