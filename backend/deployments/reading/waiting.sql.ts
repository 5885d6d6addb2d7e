import type { Knex } from 'knex';
import type { Deployment } from '../model/deployment.types.ts';
import { defaultPolicy } from '../rules/rollout-policy.ts';
import type { DeploymentRow } from '../storage/deployment.row.ts';
import type { TargetRow } from '../storage/target.row.ts';
import { BATCH_OF_TARGET, UNFINISHED } from '../storage/target.sql.ts';
import type { DeviceSituation, NamedTarget } from './waiting.views.ts';

/** Events of a deployment among which its latest pause is searched for; devices that are updating add some after it. */
const MAX_EVENTS_SINCE_PAUSE = 1_000;

type OpenTargetRow = Pick<
  TargetRow,
  | 'device_id'
  | 'deployment_id'
  | 'status'
  | 'attempt'
  | 'position'
  | 'rollback_version'
  | 'activity'
  | 'started_at'
  | 'last_report_at'
> &
  Pick<
    DeploymentRow,
    | 'deployment_name'
    | 'target_version'
    | 'paused_reason'
    | 'rollout_strategy'
    | 'policy'
    | 'scheduled_at'
    | 'released_devices'
    | 'resumed_at'
    | 'completed_at'
    | 'created_at'
  > & {
    deployment_status: Deployment['status'];
    deployment_started_at: Date | null;
    release_requested_at: Date | null;
    released_at: Date | null;
  };

type SituationRow = {
  wanted_id: string;
  last_seen: Date | null;
  polled_at: Date | null;
  now: Date;
} & (OpenTargetRow | { deployment_id: null });

/**
 * Reads the open targets of devices in one organization, and when the devices were heard of, by the id of the device.
 * `deviceIds` must not contain a device twice.
 */
export async function readSituations(
  knex: Knex,
  organizationId: string,
  deviceIds: readonly string[],
): Promise<Map<string, DeviceSituation>> {
  const { rows } = await knex.raw<{ rows: SituationRow[] }>(
    `SELECT wanted.device_id AS wanted_id, device.last_seen, polls.polled_at, now() AS now, t.*
     FROM unnest(CAST(:devices AS uuid[])) AS wanted (device_id)
     -- OFFSET 0 forces one index lookup per device, as for polls.
     LEFT JOIN LATERAL (
       SELECT last_seen FROM edge_devices
       WHERE id = wanted.device_id AND organization_id = :organization OFFSET 0
     ) device ON true
     LEFT JOIN LATERAL (
       SELECT polled_at FROM ota_device_polls
       WHERE device_id = wanted.device_id AND organization_id = :organization OFFSET 0
     ) polls ON true
     LEFT JOIN LATERAL (
       SELECT t.device_id, t.deployment_id, t.status, t.attempt, t.position, t.rollback_version, t.activity, t.started_at,
         t.last_report_at, d.deployment_name, d.target_version, d.paused_reason, d.rollout_strategy, d.policy,
         d.scheduled_at, d.released_devices, d.resumed_at, d.completed_at, d.created_at, d.status AS deployment_status,
         d.started_at AS deployment_started_at, batch.release_requested_at, batch.released_at
       FROM (
         SELECT * FROM ota_deployment_devices
         WHERE device_id = wanted.device_id
           AND (status IN ${UNFINISHED} OR rollback_version IS NOT NULL) OFFSET 0
       ) t
       -- LATERAL and OFFSET 0: otherwise the planner may look up the device in every deployment of the organization.
       CROSS JOIN LATERAL (
         SELECT * FROM ota_deployments WHERE id = t.deployment_id OFFSET 0
       ) d
       ${BATCH_OF_TARGET}
       WHERE d.organization_id = :organization
     ) t ON true`,
    { devices: [...deviceIds], organization: organizationId },
  );
  const pauses = await readPauses(knex, rows);
  const situations = new Map<string, DeviceSituation>();
  for (const row of rows) {
    const situation = situations.get(row.wanted_id) ?? {
      open: [],
      contact: { lastPolledAt: row.polled_at, lastSeen: row.last_seen, now: row.now },
    };
    situations.set(row.wanted_id, situation);
    if (row.deployment_id !== null) {
      situation.open.push(toNamedTarget(row, pauses.get(row.deployment_id) ?? null));
    }
  }
  return situations;
}

/** When the paused deployments among the rows were paused, as far as that is known. */
async function readPauses(knex: Knex, found: readonly SituationRow[]): Promise<Map<string, Date>> {
  const paused = new Set<string>();
  for (const row of found) {
    if (row.deployment_id !== null && row.deployment_status === 'paused') {
      paused.add(row.deployment_id);
    }
  }
  if (paused.size === 0) return new Map();
  const { rows } = await knex.raw<{ rows: { deployment_id: string; at: Date }[] }>(
    `SELECT paused.deployment_id, event.at
     FROM unnest(CAST(:paused AS uuid[])) AS paused (deployment_id)
     CROSS JOIN LATERAL (
       SELECT at FROM (
         SELECT id, at, type FROM ota_events WHERE deployment_id = paused.deployment_id
         ORDER BY id DESC LIMIT ${MAX_EVENTS_SINCE_PAUSE}
       ) recent
       WHERE type = 'paused' ORDER BY id DESC LIMIT 1
     ) event`,
    { paused: [...paused] },
  );
  return new Map(rows.map((row) => [row.deployment_id, row.at]));
}

function toNamedTarget(row: OpenTargetRow, pausedAt: Date | null): NamedTarget {
  return {
    deploymentId: row.deployment_id,
    deploymentName: row.deployment_name,
    targetVersion: row.target_version,
    status: row.status,
    attempt: row.attempt,
    position: row.position,
    rollbackVersion: row.rollback_version,
    deploymentStatus: row.deployment_status,
    releasedDevices: row.released_devices,
    createdAt: row.created_at,
    activity: row.activity,
    startedAt: row.started_at,
    lastReportAt: row.last_report_at,
    releaseRequestedAt: row.release_requested_at,
    releasedAt: row.released_at,
    deployment: {
      strategy: row.rollout_strategy,
      policy: { ...defaultPolicy(row.rollout_strategy), ...row.policy },
      pausedReason: row.paused_reason,
      pausedAt,
      scheduledAt: row.scheduled_at,
      startedAt: row.deployment_started_at,
      resumedAt: row.resumed_at,
      completedAt: row.completed_at,
    },
  };
}
