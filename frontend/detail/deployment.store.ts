import { defineStore } from 'pinia';
import { ref, shallowRef } from 'vue';
import type {
  DeploymentDetail,
  DeploymentEvent,
  OtaMetrics,
} from '../../backend/contract/admin-api.ts';
import { adminClient } from '../api/admin-client.ts';
import type { ChangeEvent } from '../api/live-updates.ts';
import { toApiError, type ApiError } from '../api/api-error.ts';

/** Whether `detail` already has these values, which a stream repeats whenever it opens. */
function isUpToDate(detail: DeploymentDetail, changes: Partial<DeploymentDetail>): boolean {
  return Object.entries(changes).every(([name, value]) =>
    isSame(detail[name as keyof DeploymentDetail], value),
  );
}

function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const entries = Object.entries(b);
  return (
    entries.length === Object.keys(a).length &&
    entries.every(([name, value]) => isSame((a as Record<string, unknown>)[name], value))
  );
}

/** The open deployment: its detail, key figures and timeline. Its targets have a store of their own. */
export const useDeploymentStore = defineStore('ota-deployment', () => {
  const id = ref('');
  const detail = shallowRef<DeploymentDetail | null>(null);
  const error = shallowRef<ApiError | null>(null);
  const metrics = shallowRef<OtaMetrics | null>(null);
  const events = shallowRef<DeploymentEvent[] | null>(null);
  const eventsCursor = ref<string | null>(null);
  const eventsError = shallowRef<ApiError | null>(null);

  function open(deploymentId: string): void {
    id.value = deploymentId;
    detail.value = null;
    error.value = null;
    metrics.value = null;
    events.value = null;
    eventsCursor.value = null;
    eventsError.value = null;
  }

  /**
   * Fetches the detail. A response for a deployment that is no longer open is dropped.
   *
   * @throws whatever the request failed with; `error` has it, too
   */
  async function load(): Promise<void> {
    const requestedId = id.value;
    try {
      const response = await adminClient.getDeployment(requestedId);
      if (id.value !== requestedId) return;
      detail.value = response;
      error.value = null;
    } catch (cause) {
      if (id.value !== requestedId) return;
      error.value = toApiError(cause);
      throw cause;
    }
  }

  async function loadMetrics(): Promise<void> {
    const requestedId = id.value;
    try {
      const response = await adminClient.getMetrics(requestedId);
      if (id.value === requestedId) metrics.value = response;
    } catch {
      // The figures stay as they are; the detail shows that the server cannot be reached.
    }
  }

  /** Fetches the newest page of the timeline, and keeps the earlier pages that it connects to. */
  async function loadEvents(): Promise<void> {
    const requestedId = id.value;
    try {
      const page = await adminClient.listEvents(requestedId);
      if (id.value !== requestedId) return;
      const shown = new Set(page.events.map((event) => event.id));
      const earlier = (events.value ?? []).filter((event) => !shown.has(event.id));
      const connected = events.value?.some((event) => shown.has(event.id)) ?? false;
      events.value = connected ? [...page.events, ...earlier] : page.events;
      if (!connected) eventsCursor.value = page.next_cursor;
      eventsError.value = null;
    } catch (cause) {
      if (id.value === requestedId) eventsError.value = toApiError(cause);
    }
  }

  async function loadEarlierEvents(): Promise<void> {
    const requestedId = id.value;
    try {
      const page = await adminClient.listEvents(requestedId, eventsCursor.value);
      if (id.value !== requestedId) return;
      events.value = [...(events.value ?? []), ...page.events];
      eventsCursor.value = page.next_cursor;
    } catch (cause) {
      if (id.value === requestedId) eventsError.value = toApiError(cause);
    }
  }

  /**
   * Applies events of the stream to the detail.
   *
   * @returns whether batches and phase may have changed, which events do not contain
   */
  function apply(streamEvents: ChangeEvent[]): boolean {
    let stale = false;
    for (const event of streamEvents) {
      const current = detail.value;
      if (!current || event.type === 'device') continue;
      if (event.deployment_id !== current.deployment_id) continue;
      if (event.type === 'deployment') {
        const { type: _, ...summary } = event;
        if (isUpToDate(current, summary)) continue;
        detail.value = { ...current, ...summary };
      } else {
        const { type: _, deployment_id: __, status_breakdown: counts, ...progress } = event;
        if (isUpToDate(current, { progress, status_breakdown: counts })) continue;
        detail.value = {
          ...current,
          progress,
          status_breakdown: counts,
          total_devices: progress.total_devices,
          completed_devices: progress.completed,
          failed_devices: progress.failed,
          rolled_back_devices: progress.rolled_back,
          progress_percentage: progress.percentage,
        };
      }
      stale = true;
    }
    return stale;
  }

  return {
    id,
    detail,
    error,
    metrics,
    events,
    eventsCursor,
    eventsError,
    open,
    load,
    loadMetrics,
    loadEvents,
    loadEarlierEvents,
    apply,
  };
});
