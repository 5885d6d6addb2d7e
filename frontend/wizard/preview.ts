import { onScopeDispose, shallowRef, watch, type Ref, type ShallowRef } from 'vue';
import type { DeploymentPreview } from '../../backend/contract/admin-api.ts';
import { adminClient } from '../api/admin-client.ts';
import type { ApiError } from '../api/api-error.ts';
import { useLatestRequest } from '../api/latest-request.ts';
import { toPreviewRequest } from './draft-request.ts';
import type { Draft, DraftErrors } from './draft.ts';

export interface PreviewState {
  /** The last response, kept while the next one is loading; `null` if the draft cannot be previewed. */
  preview: ShallowRef<DeploymentPreview | null>;
  error: ShallowRef<ApiError | null>;
  loading: Ref<boolean>;
}

const WAIT_MS = 300;

/** Fetches which devices the draft matches, shortly after the last change of its filters or batch plan. */
export function usePreview(draft: Draft, errors: () => DraftErrors): PreviewState {
  const preview = shallowRef<DeploymentPreview | null>(null);
  const { loading, error, run, abort } = useLatestRequest();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const load = (body: NonNullable<ReturnType<typeof toPreviewRequest>>) =>
    run(
      (signal) => adminClient.previewDeployment(body, signal),
      (response) => (preview.value = response),
    );

  // Only what affects devices and batches: typing a name sends no request.
  const requestKey = () => {
    const body = toPreviewRequest(draft, errors());
    if (!body) return null;
    const { target_version, device_filters, device_ids, skip_up_to_date } = body;
    const { rollout_strategy, rollout_percentage, batch_size } = body;
    const devices = [target_version, device_filters, device_ids, skip_up_to_date];
    return JSON.stringify([...devices, rollout_strategy, rollout_percentage, batch_size]);
  };
  watch(
    requestKey,
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
      if (body) timer = setTimeout(() => void load(body), before === undefined ? 0 : WAIT_MS);
    },
    { immediate: true },
  );
  onScopeDispose(() => {
    clearTimeout(timer);
    abort();
  });
  return { preview, error, loading };
}
