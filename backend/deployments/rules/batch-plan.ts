import type { BatchPlanEntry } from '../../contract/admin-api.ts';
import type { RolloutStrategy } from '../../contract/states.ts';

/** Percentages and sizes of docs/contract.md, Strategies. */
export const DEFAULT_CANARY_PERCENTAGE = 10;
export const DEFAULT_ROLLING_PERCENTAGE = 20;
export const MIN_CANARY_BATCH = 1;
export const MIN_ROLLING_BATCH = 5;
/** Reads add up the counters of all batches, so their number is limited (docs/decisions/counters-per-batch.md). */
export const MAX_BATCHES = 1_000;

export interface BatchPlanRequest {
  strategy: RolloutStrategy;
  /** 1–100; canary: the first batch, rolling: each batch. */
  percentage?: number | null | undefined;
  /** Rolling only; takes precedence over the percentage. */
  batchSize?: number | null | undefined;
}

/** Divides `total` targets (≥ 1) into batches, whose sizes add up to `total`. */
export function planBatches(request: BatchPlanRequest, total: number): BatchPlanEntry[] {
  switch (request.strategy) {
    case 'manual':
    case 'immediate':
      return [{ number: 1, size: total, release: 'start' }];
    case 'canary':
      return planCanary(request.percentage ?? DEFAULT_CANARY_PERCENTAGE, total);
    case 'rolling':
      return planRolling(rollingBatchSize(request, total), total);
  }
}

function planCanary(percentage: number, total: number): BatchPlanEntry[] {
  const first = Math.max(MIN_CANARY_BATCH, shareOf(total, percentage));
  const plan: BatchPlanEntry[] = [{ number: 1, size: first, release: 'start' }];
  if (first < total) plan.push({ number: 2, size: total - first, release: 'expand' });
  return plan;
}

function planRolling(size: number, total: number): BatchPlanEntry[] {
  return Array.from({ length: Math.ceil(total / size) }, (_, index) => ({
    number: index + 1,
    size: Math.min(size, total - index * size),
    release: index === 0 ? 'start' : 'automatic',
  }));
}

function rollingBatchSize(request: BatchPlanRequest, total: number): number {
  if (request.batchSize) return request.batchSize;
  return Math.max(
    MIN_ROLLING_BATCH,
    shareOf(total, request.percentage ?? DEFAULT_ROLLING_PERCENTAGE),
  );
}

/** `percentage` of `total`, rounded down. */
export function shareOf(total: number, percentage: number): number {
  return Math.floor((total * percentage) / 100);
}
