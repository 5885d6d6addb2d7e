import { defineStore } from 'pinia';
import { ref, shallowRef } from 'vue';
import type { TargetView } from '../../../backend/contract/admin-api.ts';
import type { TargetStatus, WaitingReason } from '../../../backend/contract/states.ts';
import { adminClient } from '../../api/admin-client.ts';
import { useLatestRequest } from '../../api/latest-request.ts';

export interface TargetFilter {
  status: TargetStatus | '';
  waiting_for: WaitingReason | '';
  batch: number | null;
  search: string;
}

/** Rows per request: a few screens, so that scrolling rarely has to wait. */
const PAGE_SIZE = 200;
/** Up to this many rows are reloaded automatically; beyond, the user is asked. */
const MAX_AUTO_RELOAD = 1_000;

/**
 * The targets of the open deployment, as far as the user has scrolled. Pages are fetched by cursor; a change from
 * the stream replaces its row in place.
 */
export const useTargetsStore = defineStore('ota-targets', () => {
  const deploymentId = ref('');
  const filter = ref<TargetFilter>({ status: '', waiting_for: '', batch: null, search: '' });
  const rows = shallowRef<TargetView[]>([]);
  const cursor = ref<string | null>(null);
  const loaded = ref(false);
  const { loading, error, run } = useLatestRequest();
  /** Ids of changed devices that are not loaded but now match the filter. */
  const unseen = ref(new Set<string>());
  /** The loaded rows may be outdated, and are too many to be reloaded automatically. */
  const stale = ref(false);
  let position = new Map<string, number>();

  /** @param first the first targets, if they are already loaded: shown until the page arrives */
  function open(id: string, wanted: TargetFilter, first: readonly TargetView[]): void {
    deploymentId.value = id;
    filter.value = wanted;
    rows.value = [...first];
    position = new Map(first.map((target, index) => [target.device_id, index]));
    cursor.value = null;
    loaded.value = false;
    void reload();
  }

  /** Fetches as many rows as are loaded, so that the scroll position is kept. */
  async function reload(): Promise<void> {
    await fetchPages(null, Math.max(PAGE_SIZE, rows.value.length));
  }

  /** After missed events: like `reload`, but with too many rows only marks them as `stale`. */
  async function refresh(): Promise<void> {
    if (rows.value.length > MAX_AUTO_RELOAD) stale.value = true;
    else await reload();
  }

  async function loadMore(): Promise<void> {
    if (loading.value || cursor.value === null) return;
    await fetchPages(cursor.value, rows.value.length + 1);
  }

  /**
   * Fetches pages from the cursor `from` on until at least `atLeast` rows are loaded. `null` starts from the beginning
   * and replaces the loaded rows.
   */
  function fetchPages(from: string | null, atLeast: number): Promise<void> {
    const kept = from === null ? 0 : rows.value.length;
    return run(
      async (signal) => {
        let next = from;
        let fetched: TargetView[] = [];
        do {
          const page = await adminClient.listTargets(
            deploymentId.value,
            { ...filter.value, cursor: next, limit: PAGE_SIZE },
            signal,
          );
          fetched = [...fetched, ...page.devices];
          next = page.next_cursor;
        } while (next !== null && kept + fetched.length < atLeast);
        return { fetched, next };
      },
      ({ fetched, next }) => {
        if (from === null) {
          position = new Map();
          unseen.value = new Set();
          stale.value = false;
        }
        fetched.forEach((target, index) => position.set(target.device_id, kept + index));
        rows.value = from === null ? fetched : [...rows.value, ...fetched];
        cursor.value = next;
        loaded.value = true;
      },
    );
  }

  /** Whether a change of a device can make it match the filter. */
  function isNarrowed(): boolean {
    return filter.value.status !== '' || filter.value.waiting_for !== '';
  }

  function matches(target: TargetView): boolean {
    const { status, waiting_for: reason, batch, search } = filter.value;
    if (status !== '' && target.status !== status) return false;
    if (reason !== '' && target.waiting_for?.reason !== reason) return false;
    if (batch !== null && target.batch !== batch) return false;
    const name = target.device_name?.toLowerCase() ?? '';
    return search === '' || name.includes(search.toLowerCase());
  }

  function apply(changed: readonly TargetView[]): void {
    if (changed.length === 0) return;
    let next: TargetView[] | null = null;
    for (const target of changed) {
      const index = position.get(target.device_id);
      if (index !== undefined) {
        next ??= [...rows.value];
        next[index] = target;
      } else if (isNarrowed() && matches(target)) {
        unseen.value.add(target.device_id);
      }
    }
    if (next) rows.value = next;
  }

  return {
    filter,
    rows,
    cursor,
    loading,
    loaded,
    error,
    unseen,
    stale,
    open,
    reload,
    refresh,
    loadMore,
    apply,
  };
});
