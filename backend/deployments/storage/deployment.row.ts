import type { DeviceFilters, RolloutPolicy } from '../../contract/admin-api.ts';
import { TARGET_STATUSES } from '../../contract/states.ts';
import type { Batch, Deployment, DeploymentState } from '../model/deployment.types.ts';
import { defaultPolicy } from '../rules/rollout-policy.ts';

/** A row of `ota_deployments`. */
export interface DeploymentRow {
  id: string;
  organization_id: string;
  deployment_name: string;
  target_version: string;
  rollout_strategy: Deployment['strategy'];
  rollout_percentage: number | null;
  batch_size: number | null;
  status: Deployment['status'];
  paused_reason: Deployment['pausedReason'];
  policy: Partial<RolloutPolicy>;
  metadata: {
    update_package_url?: string;
    checksum?: string;
    release_notes?: string;
    device_filters?: DeviceFilters;
    skip_up_to_date?: boolean;
    stratify_by?: string[];
  } | null;
  manifest: string | null;
  signature: string | null;
  package_name: string | null;
  total_devices: number;
  released_devices: number;
  accepted_failures: number;
  scheduled_at: Date | null;
  started_at: Date | null;
  resumed_at: Date | null;
  retry_failed_before: Date | null;
  completed_at: Date | null;
  created_at: Date;
  created_by: string | null;
  author: string | null;
}

/** A row of `ota_deployment_batches`. */
export type BatchRow = Record<(typeof TARGET_STATUSES)[number], number> & {
  deployment_id: string;
  number: number;
  first_position: number;
  size: number;
  release_requested_at: Date | null;
  released_at: Date | null;
  rolled_back_on_request: number;
  timed_updates: number;
  update_seconds: number;
};

/** A deployment with its batches as JSON, in which times are text. */
export type StateRow = DeploymentRow & {
  batches: (Omit<BatchRow, 'release_requested_at' | 'released_at'> & {
    release_requested_at: string | null;
    released_at: string | null;
  })[];
};

/** All columns of {@link DeploymentRow}. */
export const DEPLOYMENT_COLUMNS = [
  'id',
  'organization_id',
  'deployment_name',
  'target_version',
  'rollout_strategy',
  'rollout_percentage',
  'batch_size',
  'status',
  'paused_reason',
  'policy',
  'metadata',
  'manifest',
  'signature',
  'package_name',
  'total_devices',
  'released_devices',
  'accepted_failures',
  'scheduled_at',
  'started_at',
  'resumed_at',
  'retry_failed_before',
  'completed_at',
  'created_at',
  'created_by',
  'author',
] as const satisfies readonly (keyof DeploymentRow)[];

/** All columns of {@link BatchRow}. */
export const BATCH_COLUMNS = [
  'deployment_id',
  'number',
  'first_position',
  'size',
  'release_requested_at',
  'released_at',
  'rolled_back_on_request',
  'timed_updates',
  'update_seconds',
  ...TARGET_STATUSES,
] as const satisfies readonly (keyof BatchRow)[];

export function toDeployment(row: DeploymentRow): Deployment {
  const metadata = row.metadata ?? {};
  return {
    id: row.id,
    organizationId: row.organization_id,
    name: row.deployment_name,
    targetVersion: row.target_version,
    strategy: row.rollout_strategy,
    rolloutPercentage: hasPercentage(row) ? row.rollout_percentage : null,
    batchSize: row.batch_size,
    status: row.status,
    pausedReason: row.paused_reason,
    policy: { ...defaultPolicy(row.rollout_strategy), ...row.policy },
    updatePackageUrl: metadata.update_package_url ?? '',
    checksum: metadata.checksum ?? '',
    releaseNotes: metadata.release_notes ?? '',
    deviceFilters: metadata.device_filters ?? {},
    skipUpToDate: metadata.skip_up_to_date ?? false,
    stratifyBy: metadata.stratify_by ?? [],
    manifest: row.manifest,
    signature: row.signature,
    packageName: row.package_name,
    totalDevices: row.total_devices,
    releasedDevices: row.released_devices,
    acceptedFailures: row.accepted_failures,
    scheduledAt: row.scheduled_at,
    startedAt: row.started_at,
    resumedAt: row.resumed_at,
    retryFailedBefore: row.retry_failed_before,
    completedAt: row.completed_at,
    createdAt: row.created_at,
    createdBy: row.author ?? (row.created_by === null ? null : String(row.created_by)),
  };
}

/** Other deployments store 100, because the column of an existing table may be NOT NULL. */
function hasPercentage({ rollout_strategy, batch_size }: DeploymentRow): boolean {
  return rollout_strategy === 'canary' || (rollout_strategy === 'rolling' && batch_size === null);
}

export function toBatch(row: BatchRow): Batch {
  return {
    number: row.number,
    firstPosition: row.first_position,
    size: row.size,
    releaseRequestedAt: row.release_requested_at,
    releasedAt: row.released_at,
    breakdown: Object.fromEntries(
      TARGET_STATUSES.map((status) => [status, row[status]]),
    ) as Batch['breakdown'],
    rolledBackOnRequest: row.rolled_back_on_request,
    timedUpdates: row.timed_updates,
    updateSeconds: row.update_seconds,
  };
}

export function toState(row: StateRow): DeploymentState {
  const batches = row.batches.map((batch) =>
    toBatch({
      ...batch,
      release_requested_at: toDate(batch.release_requested_at),
      released_at: toDate(batch.released_at),
    } as BatchRow),
  );
  return { deployment: toDeployment(row), batches };
}

function toDate(text: string | null): Date | null {
  return text === null ? null : new Date(text);
}
