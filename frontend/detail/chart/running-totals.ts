import type { OtaMetrics } from '../../../backend/contract/admin-api.ts';

export type ResultPoint = OtaMetrics['ended_over_time'][number];

/**
 * From "ended in this bucket" to "ended until then", oldest first. The line begins with nothing at
 * `from` (the start of the deployment) and is drawn on to `until` (its end, or now).
 */
export function runningTotals(
  buckets: readonly ResultPoint[],
  from: string | null,
  until: string,
): ResultPoint[] {
  const points: ResultPoint[] = [];
  const first = buckets[0];
  if (first && from !== null && from < first.at) {
    points.push({ at: from, completed: 0, failed: 0, rolled_back: 0 });
  }
  let completed = 0;
  let failed = 0;
  let rolledBack = 0;
  for (const bucket of buckets) {
    completed += bucket.completed;
    failed += bucket.failed;
    rolledBack += bucket.rolled_back;
    points.push({ at: bucket.at, completed, failed, rolled_back: rolledBack });
  }
  const last = points.at(-1);
  if (last && last.at < until) points.push({ ...last, at: until });
  return points;
}
