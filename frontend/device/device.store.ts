import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import type { DeviceDetail, DeviceTarget } from '../../backend/contract/admin-api.ts';
import { adminClient } from '../api/admin-client.ts';
import { toApiError, type ApiError } from '../api/api-error.ts';

const PAGE_SIZE = 50;

interface History {
  targets: DeviceTarget[];
  cursor: string | null;
}

/** The open device, and its updates as far as they are loaded. */
export const useDeviceStore = defineStore('ota-device', () => {
  const id = ref('');
  /** `null`: not loaded yet, or the device is not in the organization any more. */
  const device = shallowRef<DeviceDetail | null>(null);
  const history = shallowRef<History | null>(null);
  const error = shallowRef<ApiError | null>(null);
  const loadingMore = ref(false);

  /** The device has left the organization, which still has its history. */
  const isGone = computed(() => device.value === null && history.value !== null);
  /** The history without what the device works on or waits for. */
  const past = computed(() =>
    (history.value?.targets ?? []).filter(
      (target) => target.deployment_id !== device.value?.current?.deployment_id,
    ),
  );

  function open(deviceId: string): void {
    id.value = deviceId;
    device.value = null;
    history.value = null;
    error.value = null;
  }

  /**
   * Fetches the device, and as much of its history as is loaded. A response for a device that is no longer open is dropped.
   *
   * @throws whatever the request failed with; `error` has it, too
   */
  async function load(): Promise<void> {
    const requestedId = id.value;
    try {
      const [found, targets] = await Promise.all([
        findDevice(requestedId),
        fetchHistory(requestedId, null, history.value?.targets.length ?? 1),
      ]);
      if (id.value !== requestedId) return;
      device.value = found;
      history.value = targets;
      error.value = null;
    } catch (cause) {
      if (id.value !== requestedId) return;
      error.value = toApiError(cause);
      throw cause;
    }
  }

  async function loadMore(): Promise<void> {
    const requestedId = id.value;
    const loaded = history.value;
    if (!loaded?.cursor || loadingMore.value) return;
    loadingMore.value = true;
    try {
      const more = await fetchHistory(requestedId, loaded.cursor, 1);
      if (history.value !== loaded) return;
      history.value = { targets: [...loaded.targets, ...more.targets], cursor: more.cursor };
    } catch (cause) {
      if (id.value === requestedId) error.value = toApiError(cause);
    } finally {
      loadingMore.value = false;
    }
  }

  return { id, device, history, past, isGone, error, loadingMore, open, load, loadMore };
});

async function findDevice(id: string): Promise<DeviceDetail | null> {
  try {
    return await adminClient.getDevice(id);
  } catch (cause) {
    if (toApiError(cause).status === 404) return null;
    throw cause;
  }
}

/** Fetches pages until `atLeast` targets are loaded; a page may be empty although there are more. */
async function fetchHistory(id: string, from: string | null, atLeast: number): Promise<History> {
  const targets: DeviceTarget[] = [];
  let cursor = from;
  do {
    const page = await adminClient.getDeviceHistory(id, { cursor, limit: PAGE_SIZE });
    targets.push(...page.targets);
    cursor = page.next_cursor;
  } while (cursor !== null && targets.length < atLeast);
  return { targets, cursor };
}
