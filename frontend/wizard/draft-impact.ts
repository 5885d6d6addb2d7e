import { onScopeDispose, shallowRef, type ShallowRef } from 'vue';
import type {
  CreateDeploymentRequest,
  DeploymentImpact,
} from '../../backend/contract/admin-api.ts';
import { adminClient } from '../api/admin-client.ts';
import { toApiError, type ApiError } from '../api/api-error.ts';

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
  const error = shallowRef<ApiError | null>(null);
  let running: AbortController | null = null;
  onScopeDispose(() => running?.abort());

  async function load(request: CreateDeploymentRequest): Promise<void> {
    running?.abort();
    const controller = (running = new AbortController());
    impact.value = null;
    error.value = null;
    try {
      const answer = await adminClient.getDraftImpact(request, controller.signal);
      if (running === controller) impact.value = answer;
    } catch (cause) {
      if (running === controller) error.value = toApiError(cause);
    }
  }

  return { impact, error, load };
}
