import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue';
import type { DeploymentStatus } from '../../backend/contract/states.ts';
import { openLiveUpdates, type ChangeEvent, type LiveUpdates } from '../api/live-updates.ts';
import { useThrottled } from '../shared/debounce-throttle.ts';
import { useDeviceStore } from './device.store.ts';

const LOAD_WAIT_MS = 500;
/** Polls and heartbeats of a device are not in the event stream. */
const RELOAD_MS = 30_000;

export interface LiveDevice {
  live: ShallowRef<LiveUpdates | undefined>;
  /** Fetches the device again; an error is in the store. */
  load(): void;
}

/** Opens the device in the store and keeps it up to date, until the view is unmounted. */
export function useLiveDevice(deviceId: () => string): LiveDevice {
  const store = useDeviceStore();
  const live = shallowRef<LiveUpdates>();
  const load = () => void store.load().catch(() => undefined);
  const scheduleLoad = useThrottled(() => store.load(), LOAD_WAIT_MS);
  const currentId = () => store.device?.current?.deployment_id ?? null;
  /** Of all deployments that have changed: one of them may be new, or continue. */
  const statuses = new Map<string, DeploymentStatus>();

  function isRelevant(event: ChangeEvent): boolean {
    if (event.type === 'device') return event.device.device_id === store.id;
    if (event.deployment_id === currentId()) return true;
    if (event.type !== 'deployment') return false;
    const isKnown = statuses.get(event.deployment_id) === event.status;
    statuses.set(event.deployment_id, event.status);
    return !isKnown;
  }

  watch(
    deviceId,
    (id) => {
      store.open(id);
      load();
    },
    { immediate: true },
  );
  // The stream has devices of one deployment only, so it follows the device to its next one.
  watch(
    [deviceId, currentId],
    ([, detailed]) => {
      live.value?.close();
      live.value = openLiveUpdates({
        watched: { everything: true, detailed },
        onEvents(events) {
          // Each event is looked at, because it may bring a new status.
          if (events.filter(isRelevant).length > 0) scheduleLoad();
        },
        refresh: () => store.load(),
      });
    },
    { immediate: true },
  );
  const timer = setInterval(() => {
    if (!document.hidden) scheduleLoad();
  }, RELOAD_MS);
  onScopeDispose(() => {
    live.value?.close();
    clearInterval(timer);
  });

  return { live, load };
}
