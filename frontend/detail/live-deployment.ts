import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue';
import type { DeploymentDetail, TargetView } from '../../backend/contract/admin-api.ts';
import { openLiveUpdates, type LiveUpdates } from '../api/live-updates.ts';
import { useThrottled } from '../shared/debounce-throttle.ts';
import { useDeploymentStore } from './deployment.store.ts';
import { useTargetsStore } from './targets/targets.store.ts';

/** Batches and phase are not in events, only in the detail; one fetch is enough for a burst of reports. */
const DETAIL_WAIT_MS = 500;
const FIGURES_WAIT_MS = 1_500;

export interface LiveDeployment {
  live: ShallowRef<LiveUpdates | undefined>;
  /** Fetches the detail; an error is in the store. */
  load(): void;
  /** After an action: shows the detail in its response (`null` if it has none) and fetches what else changed. */
  applyResult(detail: DeploymentDetail | null): void;
}

/**
 * Opens the deployment in the stores and keeps them up to date, by the event stream or by polling, until the view
 * is unmounted.
 *
 * @param onTargets receives changed targets, including those that the table has not loaded
 */
export function useLiveDeployment(
  deploymentId: () => string,
  onTargets: (changed: readonly TargetView[]) => void,
): LiveDeployment {
  const store = useDeploymentStore();
  const targets = useTargetsStore();
  const live = shallowRef<LiveUpdates>();

  const load = () => void store.load().catch(() => undefined);
  const loadFigures = () => Promise.all([store.loadMetrics(), store.loadEvents()]);
  const scheduleLoad = useThrottled(() => store.load(), DETAIL_WAIT_MS);
  const scheduleTargets = useThrottled(() => targets.refresh(), DETAIL_WAIT_MS);
  const scheduleFigures = useThrottled(loadFigures, FIGURES_WAIT_MS);

  // The server counts the devices of a large deployment in the background; `as_of` is null until the first count.
  watch(
    () => store.metrics,
    (metrics) => {
      if (metrics?.as_of === null) scheduleFigures();
    },
  );
  // Pausing a deployment or releasing a batch changes what its devices wait for, without an event for each of them.
  watch(
    () => {
      const detail = store.detail;
      return detail && [detail.deployment_id, detail.status, detail.released_devices].join(' ');
    },
    (_, before) => {
      if (before) scheduleTargets();
    },
  );
  watch(
    deploymentId,
    (id) => {
      live.value?.close();
      store.open(id);
      load();
      void loadFigures();
      live.value = openLiveUpdates({
        watched: { everything: false, detailed: id },
        onEvents(events) {
          const detailChanged = store.apply(events);
          if (detailChanged) scheduleLoad();
          const changed = events.flatMap((event) =>
            event.type === 'device' ? [event.device] : [],
          );
          targets.apply(changed);
          onTargets(changed);
          if (detailChanged || changed.length > 0) scheduleFigures();
        },
        async refresh() {
          await store.load();
          await targets.refresh();
          scheduleFigures();
        },
      });
    },
    { immediate: true },
  );
  onScopeDispose(() => live.value?.close());

  return {
    live,
    load,
    applyResult(detail) {
      // The response may be late: another deployment may be open by now.
      if (detail?.deployment_id === store.id) store.detail = detail;
      else scheduleLoad();
      void targets.refresh();
      scheduleFigures();
    },
  };
}
