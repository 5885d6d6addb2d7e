import { computed, type ComputedRef } from 'vue';
import { useRoute, useRouter, type LocationQueryRaw } from 'vue-router';
import { TARGET_STATUSES, WAITING_REASONS } from '../../backend/contract/states.ts';
import type { TargetFilter } from './targets/targets.store.ts';

export const TABS = ['devices', 'timeline', 'settings'] as const;
export type Tab = (typeof TABS)[number];

export interface TargetQuery {
  tab: ComputedRef<Tab>;
  filter: ComputedRef<TargetFilter>;
  /** Changes filters of the table, and shows its tab. */
  setFilter(change: Partial<TargetFilter>): void;
  /** The query of a tab; it keeps the filters, so that they survive a visit to another tab. */
  queryOf(tab: Tab): LocationQueryRaw;
}

/** Tab and filters are in the URL, so that going back, reloading and sharing a link show the same view. */
export function useTargetQuery(): TargetQuery {
  const route = useRoute();
  const router = useRouter();

  const tab = computed(() => TABS.find((name) => name === route.query['tab']) ?? 'devices');
  const filter = computed<TargetFilter>(() => ({
    status: TARGET_STATUSES.find((status) => status === route.query['status']) ?? '',
    waiting_for: WAITING_REASONS.find((reason) => reason === route.query['waiting_for']) ?? '',
    batch: Number(route.query['batch']) || null,
    search: String(route.query['search'] ?? ''),
  }));

  function queryWith({
    status,
    waiting_for: waitingFor,
    batch,
    search,
  }: TargetFilter): LocationQueryRaw {
    return {
      ...(status && { status }),
      ...(waitingFor && { waiting_for: waitingFor }),
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
