import { randomUUID } from 'node:crypto';
import type { Knex } from 'knex';
import type { Logger } from 'pino';
import { MAX_NAME_LENGTH, MAX_VERSION_LENGTH } from '../contract/lengths.ts';
import { DEPLOYMENT_STATUSES, ROLLOUT_STRATEGIES, TARGET_STATUSES } from '../contract/states.ts';
import { isDataRejected } from './database-errors.ts';
import { KnexUnitOfWork, asKnex } from './knex-unit-of-work.ts';

/** Without an organization yet there is none that a deployment could belong to. */
const FOREIGN_KEY_VIOLATION = '23503';
const PROBE_LIMITS = { lockMs: 2_000 };

/**
 * Tables that were there before the plugin may have columns, lengths and checks of their own. Writes
 * every state there is, as long as it may be, and takes it back: what the host's tables would refuse in
 * the middle of a rollout is said at the start, with the constraint's name. A database that cannot be
 * written to at the moment refuses nothing for good: readiness tells of that.
 *
 * @throws {Error} with what the tables refuse
 */
export async function requireWritableTables(knex: Knex, logger: Logger): Promise<void> {
  try {
    await new KnexUnitOfWork(knex).run(async (tx) => {
      const trial = asKnex(tx);
      await writeEveryState(trial, await anyOrganizationId(trial));
      throw new ProbeRollback();
    }, PROBE_LIMITS);
  } catch (error) {
    if (error instanceof ProbeRollback) return;
    const { code, message, detail } = error as { code?: string; message: string; detail?: string };
    if (code === FOREIGN_KEY_VIOLATION) return;
    if (!isDataRejected(error)) {
      logger.warn({ err: error }, 'it could not be tried what the tables of deployments take');
      return;
    }
    throw new Error(
      'The tables ota_deployments and ota_deployment_devices of this database do not take what the plugin ' +
        // Knex puts the statement before it.
        `writes: ${message.split(' - ').at(-1)}${detail ? ` (${detail})` : ''}. Change or drop what refuses it, and start again.`,
      { cause: error },
    );
  }
}

/** Ends the trial: what it wrote was taken, and is not kept. */
class ProbeRollback extends Error {}

/** NOT NULL and checks are looked at before foreign keys: any id tells of them. */
async function anyOrganizationId(trial: Knex): Promise<string> {
  const rows = await trial<{ id: string }>('organizations').select('id').limit(1);
  return rows[0]?.id ?? randomUUID();
}

async function writeEveryState(trial: Knex, organizationId: string): Promise<void> {
  const { rows } = await trial.raw<{ rows: { id: string }[] }>(
    `INSERT INTO ota_deployments (organization_id, deployment_name, target_version, rollout_strategy,
       rollout_percentage, status, metadata)
     SELECT CAST(:organization_id AS uuid), :name, :version, strategy, percentage, status, '{}'
     FROM unnest(CAST(:strategies AS text[])) AS strategy, unnest(CAST(:statuses AS text[])) AS status,
       unnest(ARRAY[1, 100]) AS percentage
     RETURNING id`,
    {
      organization_id: organizationId,
      name: 'n'.repeat(MAX_NAME_LENGTH),
      version: 'v'.repeat(MAX_VERSION_LENGTH),
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
