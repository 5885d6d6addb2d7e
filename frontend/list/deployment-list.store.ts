import { defineStore } from 'pinia';
import { ref, shallowRef } from 'vue';
import type {
  DeploymentList,
  DeploymentSummary,
  OtaMetrics,
} from '../../backend/contract/admin-api.ts';
import { adminClient, type DeploymentQuery } from '../api/admin-client.ts';
import { toApiError, type ApiError } from '../api/api-error.ts';
import { useLatestRequest } from '../api/latest-request.ts';
import type { ChangeEvent } from '../api/live-updates.ts';

/** The page of deployments that the URL selects, and the key figures above it. */
export const useDeploymentListStore = defineStore('ota-deployment-list', () => {
  const query = ref<DeploymentQuery>({});
  const list = shallowRef<DeploymentList | null>(null);
  const metrics = shallowRef<OtaMetrics | null>(null);
  const metricsError = shallowRef<ApiError | null>(null);
  const { loading, error: listError, runOrThrow } = useLatestRequest();

  /**
   * Fetches the list; a newer call replaces one that is still pending.
   *
   * @throws {ApiError} if the fetch fails and was not replaced
   */
  function loadList(): Promise<void> {
    return runOrThrow(
      (signal) => adminClient.listDeployments(query.value, signal),
      (response) => (list.value = response),
    );
  }

  async function loadMetrics(): Promise<void> {
    try {
      metrics.value = await adminClient.getMetrics();
      metricsError.value = null;
    } catch (error) {
      metricsError.value = toApiError(error);
    }
  }

  function replace(summary: DeploymentSummary): boolean {
    const current = list.value;
    const known = current?.deployments.some((row) => row.deployment_id === summary.deployment_id);
    if (!current || !known) return false;
    list.value = {
      ...current,
      deployments: current.deployments.map((row) =>
        row.deployment_id === summary.deployment_id ? { ...row, ...summary } : row,
      ),
    };
    return true;
  }

  /**
   * Applies events to the loaded rows.
   *
   * @returns whether to fetch the list again, because rows may have been added or removed
   */
  function apply(events: ChangeEvent[]): boolean {
    let stale = false;
    for (const event of events) {
      if (event.type === 'deployment') {
        const { type: _, ...summary } = event;
        const before = list.value?.deployments.find(
          (row) => row.deployment_id === summary.deployment_id,
        );
        const known = replace(summary);
        stale ||= !known || (Boolean(query.value.status) && before?.status !== summary.status);
      } else if (event.type === 'progress') {
        const row = list.value?.deployments.find(
          (candidate) => candidate.deployment_id === event.deployment_id,
        );
        if (row) {
          replace({
            ...row,
            total_devices: event.total_devices,
            completed_devices: event.completed,
            failed_devices: event.failed,
            rolled_back_devices: event.rolled_back,
            progress_percentage: event.percentage,
          });
        }
      }
    }
    return stale;
  }

  return {
    query,
    list,
    metrics,
    listError,
    metricsError,
    loading,
    loadList,
    loadMetrics,
    replace,
    apply,
  };
});
