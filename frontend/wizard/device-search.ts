import { ref, shallowRef, watch, type Ref, type ShallowRef } from 'vue';
import type { DevicePage, DeviceView } from '../../backend/contract/admin-api.ts';
import type { DeviceConnectionFilter } from '../../backend/contract/states.ts';
import { adminClient } from '../api/admin-client.ts';
import type { ApiError } from '../api/api-error.ts';
import { useLatestRequest } from '../api/latest-request.ts';
import { useDebounced } from '../shared/debounce-throttle.ts';

const PAGE_SIZE = 200;
const SEARCH_WAIT_MS = 250;

export interface DeviceSearch {
  search: Ref<string>;
  type: Ref<string>;
  status: Ref<DeviceConnectionFilter>;
  /** The devices loaded so far; `loadMore` fetches the rest. */
  devices: ShallowRef<DeviceView[]>;
  /** Types and versions of the whole fleet; `null` until the first response. */
  facets: ShallowRef<DevicePage['facets'] | null>;
  loading: Ref<boolean>;
  error: ShallowRef<ApiError | null>;
  /** Starts the search once the user stops typing. */
  scheduleSearch(): void;
  reload(): void;
  /** Fetches the next page, unless there is none or a request is pending. */
  loadMore(): void;
}

/** Searches the organization's devices by name, type and status on the server, page by page. */
export function useDeviceSearch(): DeviceSearch {
  const search = ref('');
  const type = ref('');
  const status = ref<DeviceConnectionFilter>('');
  const devices = shallowRef<DeviceView[]>([]);
  const facets = shallowRef<DevicePage['facets'] | null>(null);
  const cursor = ref<string | null>(null);
  const { loading, error, run } = useLatestRequest();

  function fetchPage(from: string | null): Promise<void> {
    return run(
      (signal) =>
        adminClient.listDevices(
          {
            search: search.value.trim(),
            device_type: type.value,
            status: status.value,
            cursor: from,
            limit: PAGE_SIZE,
          },
          signal,
        ),
      (page) => {
        devices.value = from === null ? page.devices : [...devices.value, ...page.devices];
        facets.value ??= page.facets;
        cursor.value = page.next_cursor;
      },
    );
  }
  const reload = () => void fetchPage(null);
  const scheduleSearch = useDebounced(reload, SEARCH_WAIT_MS);
  watch([type, status], reload, { immediate: true });

  return {
    search,
    type,
    status,
    devices,
    facets,
    loading,
    error,
    scheduleSearch,
    reload,
    loadMore() {
      if (cursor.value !== null && !loading.value) void fetchPage(cursor.value);
    },
  };
}
