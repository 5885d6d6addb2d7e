import { onScopeDispose, shallowRef, type ShallowRef } from 'vue';
import type {
  CreateDeploymentRequest,
  DeploymentImpact,
} from '../../backend/contract/admin-api.ts';
import { adminClient } from '../api/admin-client.ts';
import type { ApiError } from '../api/api-error.ts';
import { useLatestRequest } from '../api/latest-request.ts';

export interface DraftImpact {
  /** `null`: not asked for, not answered yet, or the question failed. */
  impact: ShallowRef<DeploymentImpact | null>;
  error: ShallowRef<ApiError | null>;
  /** Asks for the impact of this request; an answer to an earlier question no longer counts. */
  load(request: CreateDeploymentRequest): Promise<void>;
}

/** What the draft would change in the fleet: asked for when it is reviewed, for it is a longer count than the preview. */
export function useDraftImpact(): DraftImpact {
  const impact = shallowRef<DeploymentImpact | null>(null);
  const { error, run, abort } = useLatestRequest();
  onScopeDispose(abort);

  function load(request: CreateDeploymentRequest): Promise<void> {
    impact.value = null;
    error.value = null;
    return run(
      (signal) => adminClient.getDraftImpact(request, signal),
      (answer) => (impact.value = answer),
    );
  }

  return { impact, error, load };
}
