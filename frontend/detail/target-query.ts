import { computed, type ComputedRef } from 'vue';
import { useRoute, useRouter, type LocationQueryRaw } from 'vue-router';
import { TARGET_STATUSES } from '../../backend/contract/states.ts';
import type { TargetFilter } from './targets/targets.store.ts';

export const TABS = ['devices', 'timeline', 'settings'] as const;
export type Tab = (typeof TABS)[number];

export interface TargetQuery {
  tab: ComputedRef<Tab>;
  filter: ComputedRef<TargetFilter>;
  /** Narrows or widens the table, and shows it. */
  setFilter(change: Partial<TargetFilter>): void;
  /** The query of a tab; filters stay when one looks at another tab and comes back. */
  queryOf(tab: Tab): LocationQueryRaw;
}

/** Tab and filters stand in the address, so that back, reload and a shared link show the same. */
export function useTargetQuery(): TargetQuery {
  const route = useRoute();
  const router = useRouter();

  const tab = computed(() => TABS.find((name) => name === route.query['tab']) ?? 'devices');
  const filter = computed<TargetFilter>(() => ({
    status: TARGET_STATUSES.find((status) => status === route.query['status']) ?? '',
    batch: Number(route.query['batch']) || null,
    search: String(route.query['search'] ?? ''),
  }));

  function queryWith({ status, batch, search }: TargetFilter): LocationQueryRaw {
    return {
      ...(status && { status }),
      ...(batch && { batch: String(batch) }),
      ...(search && { search }),
    };
  }

  return {
    tab,
    filter,
    setFilter(change) {
      void router.replace({ query: queryWith({ ...filter.value, ...change }) });
    },
    queryOf: (name) => ({
      ...queryWith(filter.value),
      ...(name !== 'devices' && { tab: name }),
    }),
  };
}
