import { onScopeDispose, shallowRef, type ShallowRef } from 'vue';
import type {
  CreateDeploymentRequest,
  DeploymentImpact,
} from '../../backend/contract/admin-api.ts';
import { adminClient } from '../api/admin-client.ts';
import type { ApiError } from '../api/api-error.ts';
import { useLatestRequest } from '../api/latest-request.ts';

export interface DraftImpact {
  /** `null` until the latest request has succeeded. */
  impact: ShallowRef<DeploymentImpact | null>;
  error: ShallowRef<ApiError | null>;
  /** Fetches the impact of this request; responses to earlier calls are dropped. */
  load(request: CreateDeploymentRequest): Promise<void>;
}

/** What the draft would change in the fleet. Only fetched for the review, since it takes longer than the preview. */
export function useDraftImpact(): DraftImpact {
  const impact = shallowRef<DeploymentImpact | null>(null);
  const { error, run, abort } = useLatestRequest();
  onScopeDispose(abort);

  function load(request: CreateDeploymentRequest): Promise<void> {
    impact.value = null;
    error.value = null;
    return run(
      (signal) => adminClient.getDraftImpact(request, signal),
      (response) => (impact.value = response),
    );
  }

  return { impact, error, load };
}
