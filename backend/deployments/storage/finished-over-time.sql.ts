/**
 * Updates the numbers of finished targets over time.
 *
 * @param changes selects `deployment_id`, `status`, `at` (when targets finished) and `by` (by how much their number
 *   changes, may be negative)
 */
export const updateFinishedOverTime = (changes: string): string => `
    INSERT INTO ota_deployment_ends AS counted (deployment_id, at, completed, failed, rolled_back)
    SELECT change.deployment_id, ota_end_span(coalesce(d.started_at, d.created_at), change.at),
           ${['completed', 'failed', 'rolled_back']
             .map(
               (status) => `coalesce(sum(change.by) FILTER (WHERE change.status = '${status}'), 0)`,
             )
             .join(', ')}
    FROM (${changes}) change JOIN ota_deployments d ON d.id = change.deployment_id
    WHERE change.status IN ('completed', 'failed', 'rolled_back') AND change.at IS NOT NULL
    GROUP BY 1, 2
    ON CONFLICT (deployment_id, at) DO UPDATE SET
      completed = counted.completed + excluded.completed,
      failed = counted.failed + excluded.failed,
      rolled_back = counted.rolled_back + excluded.rolled_back`;
