import { defineStore } from 'pinia';
import { ref, shallowRef } from 'vue';
import type { TargetView } from '../../../backend/contract/admin-api.ts';
import type { TargetStatus } from '../../../backend/contract/states.ts';
import { adminClient } from '../../api/admin-client.ts';
import { useLatestRequest } from '../../api/latest-request.ts';

export interface TargetFilter {
  status: TargetStatus | '';
  batch: number | null;
  search: string;
}

/** Rows a request brings: a few screens, so that scrolling seldom has to wait. */
const PAGE_SIZE = 200;
/** Up to so many rows are fetched anew by themselves; beyond, the reader is asked. */
const MAX_QUIET_RELOAD = 1_000;

/**
 * The targets of the open deployment as far as they have been scrolled to. Pages come one after the
 * other by cursor; what the stream tells about a loaded row replaces it in place.
 */
export const useTargetsStore = defineStore('ota-targets', () => {
  const deploymentId = ref('');
  const filter = ref<TargetFilter>({ status: '', batch: null, search: '' });
  const rows = shallowRef<TargetView[]>([]);
  const cursor = ref<string | null>(null);
  const loaded = ref(false);
  const { loading, error, run } = useLatestRequest();
  /** Devices outside the loaded rows that changed so that the filter may now hold for them. */
  const unseen = ref(new Set<string>());
  /** The loaded rows may be old, and there are too many to fetch them unasked. */
  const stale = ref(false);
  let position = new Map<string, number>();

  /** @param first The first targets, where they are known already: shown until the page arrives. */
  function open(id: string, wanted: TargetFilter, first: readonly TargetView[]): void {
    deploymentId.value = id;
    filter.value = wanted;
    rows.value = [...first];
    position = new Map(first.map((target, index) => [target.device_id, index]));
    cursor.value = null;
    loaded.value = false;
    void reload();
  }

  /** Fetches as much as is loaded now anew, so that the reader's place is kept. */
  async function reload(): Promise<void> {
    await fetchPages(null, Math.max(PAGE_SIZE, rows.value.length));
  }

  /** After missed events: like `reload`, unless so much is loaded that it would hurt. */
  async function refresh(): Promise<void> {
    if (rows.value.length > MAX_QUIET_RELOAD) stale.value = true;
    else await reload();
  }

  async function loadMore(): Promise<void> {
    if (loading.value || cursor.value === null) return;
    await fetchPages(cursor.value, rows.value.length + 1);
  }

  /**
   * Fetches pages from `from` on (`null`: from the beginning, in place of what is loaded) until at
   * least `atLeast` rows are there. Rows that the stream replaces meanwhile keep what it told.
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

  function matches(target: TargetView): boolean {
    const { status, batch, search } = filter.value;
    if (status !== '' && target.status !== status) return false;
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
      } else if (filter.value.status !== '' && matches(target)) {
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
