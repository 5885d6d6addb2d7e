import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue';
import type { DeploymentDetail, TargetView } from '../../backend/contract/admin-api.ts';
import { openLiveUpdates, type LiveUpdates } from '../api/live-updates.ts';
import { useThrottled } from '../shared/debounce-throttle.ts';
import { useDeploymentStore } from './deployment.store.ts';
import { useTargetsStore } from './targets/targets.store.ts';

/** Batches and phase come with the head only; for a burst of reports one fetch is enough. */
const HEAD_WAIT_MS = 500;
const FIGURES_WAIT_MS = 1_500;

export interface LiveDeployment {
  live: ShallowRef<LiveUpdates | undefined>;
  /** Fetches the head; what goes wrong stands in the store. */
  load(): void;
  /** After an action: shows its answer (`null`: it told nothing) and fetches what follows from it. */
  applyResult(answer: DeploymentDetail | null): void;
}

/**
 * Opens the deployment of `deploymentId` in the stores and keeps them up to date, by the event stream
 * or by polling, until the view is gone.
 *
 * @param onTargets Targets that the stream told of, also those that the table has not loaded.
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
  const scheduleHead = useThrottled(() => store.load(), HEAD_WAIT_MS);
  const scheduleFigures = useThrottled(loadFigures, FIGURES_WAIT_MS);

  // Devices of a large deployment are counted in the background; the first time, there is something to wait for.
  watch(
    () => store.metrics,
    (metrics) => {
      if (metrics?.as_of === null) scheduleFigures();
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
          const headChanged = store.apply(events);
          if (headChanged) scheduleHead();
          const changed = events.flatMap((event) =>
            event.type === 'device' ? [event.device] : [],
          );
          targets.apply(changed);
          onTargets(changed);
          if (headChanged || changed.length > 0) scheduleFigures();
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
    applyResult(answer) {
      // The answer may be late, and another deployment open by now.
      if (answer?.deployment_id === store.id) store.detail = answer;
      else scheduleHead();
      void targets.refresh();
      scheduleFigures();
    },
  };
}
