/** Converts a draft into requests. Empty fields are left out, so that the server's defaults apply. */
import type {
  CreateDeploymentRequest,
  DeviceFilters,
  RolloutPolicy,
} from '../../backend/contract/admin-api.ts';
import { readChecksum } from './checksum.ts';
import { isPickedByHand, type Draft, type DraftErrors } from './draft.ts';

export function toRequest(draft: Draft): CreateDeploymentRequest {
  const policy = toPolicy(draft);
  const notes = draft.release_notes;
  return {
    deployment_name: draft.deployment_name.trim(),
    target_version: draft.target_version.trim(),
    ...toPlan(draft),
    ...toTargets(draft),
    skip_up_to_date: draft.skip_up_to_date,
    update_package_url: draft.update_package_url.trim(),
    checksum: readChecksum(draft.checksum) ?? draft.checksum.trim(),
    ...(notes !== '' && { release_notes: notes }),
    ...(Object.keys(policy).length > 0 && { policy }),
    ...(draft.scheduled_at !== '' && { scheduled_at: new Date(draft.scheduled_at).toISOString() }),
    ...(draft.manifest.trim() !== '' && { manifest: draft.manifest }),
    ...(draft.signature.trim() !== '' && { signature: draft.signature.trim() }),
  };
}

/**
 * The request for a preview, which may lack everything that does not affect devices or batches; `null` while no
 * device is picked or a number of the batch plan is missing or invalid.
 */
export function toPreviewRequest(
  draft: Draft,
  errors: DraftErrors,
): CreateDeploymentRequest | null {
  if (isPickedByHand(draft) && draft.picked.length === 0) return null;
  if (errors.canary_percentage ?? errors.rolling_percentage ?? errors.batch_size) return null;
  const version = errors.target_version === undefined ? draft.target_version.trim() : '';
  return {
    deployment_name: draft.deployment_name.trim(),
    target_version: version,
    ...toPlan(draft),
    ...toTargets(draft),
    skip_up_to_date: draft.skip_up_to_date && version !== '',
    update_package_url: draft.update_package_url.trim(),
    checksum: draft.checksum.trim(),
  };
}

function toPlan(
  draft: Draft,
): Pick<CreateDeploymentRequest, 'rollout_strategy' | 'rollout_percentage' | 'batch_size'> {
  const { rollout_strategy } = draft;
  if (rollout_strategy === 'canary') {
    return { rollout_strategy, rollout_percentage: Number(draft.canary_percentage) };
  }
  if (rollout_strategy === 'rolling') {
    return draft.rolling_by === 'count'
      ? { rollout_strategy, batch_size: Number(draft.batch_size) }
      : { rollout_strategy, rollout_percentage: Number(draft.rolling_percentage) };
  }
  return { rollout_strategy };
}

function toTargets(draft: Draft): Pick<CreateDeploymentRequest, 'device_filters' | 'device_ids'> {
  if (isPickedByHand(draft)) {
    return { device_ids: draft.picked.map((device) => device.device_id) };
  }
  const filters: DeviceFilters = {};
  if (draft.device_type.trim() !== '') filters.device_type = draft.device_type.trim();
  if (draft.current_version.trim() !== '') {
    filters.current_version = draft.current_version.trim();
    filters.version_operator = draft.version_operator;
  }
  if (draft.status !== '') filters.status = draft.status;
  return { device_filters: filters };
}

function toPolicy(draft: Draft): Partial<RolloutPolicy> {
  const policy: Partial<RolloutPolicy> = {};
  if (draft.threshold_off) policy.failure_threshold_percent = null;
  else if (draft.failure_threshold_percent !== '') {
    policy.failure_threshold_percent = Number(draft.failure_threshold_percent);
  }
  if (draft.failure_min_devices !== '') {
    policy.failure_min_devices = Number(draft.failure_min_devices);
  }
  if (draft.device_timeout_minutes !== '') {
    policy.device_timeout_minutes = Number(draft.device_timeout_minutes);
  }
  if (draft.pickup_timeout_hours !== '') {
    policy.pickup_timeout_hours = Number(draft.pickup_timeout_hours) || null;
  }
  return policy;
}
