import type { OtaMetrics } from '../../../backend/contract/admin-api.ts';

export type ResultPoint = OtaMetrics['ended_over_time'][number];

/**
 * Turns counts per bucket into running totals, oldest first. The line starts at zero at `from` (the start of the
 * deployment) and extends to `until` (its end, or now). Times are ISO 8601 in UTC.
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
