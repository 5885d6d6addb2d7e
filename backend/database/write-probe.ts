import { randomUUID } from 'node:crypto';
import type { Knex } from 'knex';
import type { Logger } from 'pino';
import { MAX_NAME_LENGTH, MAX_VERSION_LENGTH } from '../contract/lengths.ts';
import { DEPLOYMENT_STATUSES, ROLLOUT_STRATEGIES, TARGET_STATUSES } from '../contract/states.ts';
import { isDataRejected } from './database-errors.ts';
import { KnexUnitOfWork, asKnex } from './knex-unit-of-work.ts';

/** No organization exists yet, so a deployment cannot reference one. */
const FOREIGN_KEY_VIOLATION = '23503';
const PROBE_LIMITS = { lockMs: 2_000 };

/**
 * Checks that the deployment tables accept everything that the plugin writes. Tables that existed before the plugin may
 * have columns, lengths and constraints of their own. The probe writes every state with values of the maximum length
 * and rolls back, so that a problem is found at the start and not in the middle of a rollout. If the database does not
 * accept writes at the moment, only a warning is logged; `health()` reports that.
 *
 * @throws {Error} with the constraint that rejected the probe
 */
export async function requireWritableTables(knex: Knex, logger: Logger): Promise<void> {
  try {
    await new KnexUnitOfWork(knex).run(async (tx) => {
      const probe = asKnex(tx);
      await writeEveryState(probe, await anyOrganizationId(probe));
      throw new ProbeRollback();
    }, PROBE_LIMITS);
  } catch (error) {
    if (error instanceof ProbeRollback) return;
    const { code, message, detail } = error as { code?: string; message: string; detail?: string };
    if (code === FOREIGN_KEY_VIOLATION) return;
    if (!isDataRejected(error)) {
      logger.warn({ err: error }, 'write test of the deployment tables failed');
      return;
    }
    throw new Error(
      'The tables ota_deployments and ota_deployment_devices of this database reject what the plugin ' +
        // Knex puts the statement in front of PostgreSQL's message.
        `writes: ${message.split(' - ').at(-1)}${detail ? ` (${detail})` : ''}. Change or drop the constraint, and start again.`,
      { cause: error },
    );
  }
}

/** Thrown after a successful probe to roll it back. */
class ProbeRollback extends Error {}

/** Without an organization, any id will do: PostgreSQL checks NOT NULL and CHECK before foreign keys. */
async function anyOrganizationId(probe: Knex): Promise<string> {
  const rows = await probe<{ id: string }>('organizations').select('id').limit(1);
  return rows[0]?.id ?? randomUUID();
}

async function writeEveryState(probe: Knex, organizationId: string): Promise<void> {
  const { rows } = await probe.raw<{ rows: { id: string }[] }>(
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
  await probe.raw(
    `INSERT INTO ota_deployment_devices (deployment_id, device_id, status, position, started_at,
       completed_at, error_message)
     SELECT CAST(:deployment_id AS uuid), gen_random_uuid(), status, 0, now(), now(), repeat('e', 4000)
     FROM unnest(CAST(:statuses AS text[])) AS status`,
    { deployment_id: rows[0]?.id ?? null, statuses: [...TARGET_STATUSES] },
  );
}
