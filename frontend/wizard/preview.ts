import { onScopeDispose, shallowRef, watch, type Ref, type ShallowRef } from 'vue';
import type { DeploymentPreview } from '../../backend/contract/admin-api.ts';
import { adminClient } from '../api/admin-client.ts';
import type { ApiError } from '../api/api-error.ts';
import { useLatestRequest } from '../api/latest-request.ts';
import { toPreviewRequest } from './draft-request.ts';
import type { Draft, DraftErrors } from './draft.ts';

export interface PreviewState {
  /** The last answer; still shown while the next one is on its way. `null`: nothing to ask for. */
  preview: ShallowRef<DeploymentPreview | null>;
  error: ShallowRef<ApiError | null>;
  loading: Ref<boolean>;
}

const WAIT_MS = 300;

/** Asks which devices the draft matches, a moment after its filters or plan were last changed. */
export function usePreview(draft: Draft, errors: () => DraftErrors): PreviewState {
  const preview = shallowRef<DeploymentPreview | null>(null);
  const { loading, error, run, abort } = useLatestRequest();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const ask = (body: NonNullable<ReturnType<typeof toPreviewRequest>>) =>
    run(
      (signal) => adminClient.previewDeployment(body, signal),
      (answer) => (preview.value = answer),
    );

  // Only what decides about devices and batches: typing a name asks for nothing.
  const question = () => {
    const body = toPreviewRequest(draft, errors());
    if (!body) return null;
    const { target_version, device_filters, device_ids, skip_up_to_date } = body;
    const { rollout_strategy, rollout_percentage, batch_size } = body;
    const devices = [target_version, device_filters, device_ids, skip_up_to_date];
    return JSON.stringify([...devices, rollout_strategy, rollout_percentage, batch_size]);
  };
  watch(
    question,
    (now, before) => {
      clearTimeout(timer);
      abort();
      if (now === null) {
        preview.value = null;
        error.value = null;
        return;
      }
      loading.value = true;
      const body = toPreviewRequest(draft, errors());
      if (body) timer = setTimeout(() => void ask(body), before === undefined ? 0 : WAIT_MS);
    },
    { immediate: true },
  );
  onScopeDispose(() => {
    clearTimeout(timer);
    abort();
  });
  return { preview, error, loading };
}
