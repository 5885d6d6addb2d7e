import type { CanaryCoverage, DeviceKind } from '../../contract/admin-api.ts';
import type { CanaryKind, CanaryKinds } from '../model/deployment.types.ts';
import { MIN_CANARY_BATCH, shareOf } from './batch-plan.ts';

/** Kinds that a coverage lists. The numbers count all of them. */
const MAX_LISTED = 50;
const MAX_MISSING = 10;

type KindSize = Pick<CanaryKind, 'count' | 'online'>;

/**
 * How many devices of each kind are among the first `size` of a canary (docs/contract.md, Order of a canary). The statement
 * that creates the targets implements the same rule (`creation/canary-order.sql.ts`).
 *
 * @param kinds in order of priority; each has at least one device
 */
export function allocate(kinds: readonly KindSize[], size: number): number[] {
  const representatives = kinds.map((_, index) => (index < size ? 1 : 0));
  if (size <= kinds.length) return representatives;
  const withOnline = fill(
    kinds,
    representatives,
    kinds.map(({ online }) => Math.max(1, online)),
    size,
  );
  const all = kinds.map(({ count }) => count);
  return fill(kinds, withOnline, all, size);
}

/** The place of the n-th device of a kind: ordering by it makes every beginning proportional to the sizes of the kinds. */
const placeOf = (n: number, count: number): number => (n - 0.5) / count;

/** Adds devices in the order of their places, until there are `size`, or `limits` of each kind. */
function fill(
  kinds: readonly KindSize[],
  taken: readonly number[],
  limits: readonly number[],
  size: number,
): number[] {
  if (sum(limits) <= size) return [...limits];
  const devicesUpTo = (place: number) =>
    kinds.map(({ count }, index) =>
      clamp(Math.floor(place * count + 0.5), taken[index] ?? 0, limits[index] ?? 0),
    );
  // The last place is found by bisection.
  let [low, high] = [0, 1];
  for (let step = 0; step < 50; step += 1) {
    const middle = (low + high) / 2;
    if (sum(devicesUpTo(middle)) <= size) low = middle;
    else high = middle;
  }
  // Rounding may have counted one device too many of a kind. The last few devices are added one by one.
  const filled = devicesUpTo(low).map((devices, index) => Math.max(devices - 1, taken[index] ?? 0));
  for (let left = size - sum(filled); left > 0; left -= 1) {
    const next = nextKind(kinds, filled, limits);
    filled[next] = (filled[next] ?? 0) + 1;
  }
  return filled;
}

/** The kind of the device with the next place; of several, the one with the highest priority. */
function nextKind(
  kinds: readonly KindSize[],
  filled: readonly number[],
  limits: readonly number[],
): number {
  let next = -1;
  let best = Infinity;
  kinds.forEach(({ count }, index) => {
    const taken = filled[index] ?? 0;
    const place = placeOf(taken + 1, count);
    if (taken < (limits[index] ?? 0) && place < best) [next, best] = [index, place];
  });
  return next;
}

/** Which kinds of devices are in the first batch of a canary, which has `size` devices. */
export function coverageOf({ kinds, others }: CanaryKinds, size: number): CanaryCoverage {
  const sizes = others ? [...kinds, others] : kinds;
  const first = allocate(sizes, size);
  const total = sum(sizes.map(({ count }) => count));
  return {
    kinds: sizes.length,
    covered_kinds: first.filter((devices) => devices > 0).length,
    missing: kinds
      .filter((_, index) => first[index] === 0)
      .slice(0, MAX_MISSING)
      .map(toDeviceKind),
    by_kind: kinds
      .slice(0, MAX_LISTED)
      .map((kind, index) => ({ ...toDeviceKind(kind), first_batch: first[index] ?? 0 })),
    has_other_kinds: others !== null,
    percentage_for_all: percentageFor(sizes.length, total),
  };
}

/** The lowest percentage of `total` devices that is at least `size` of them. */
function percentageFor(size: number, total: number): number {
  if (size <= MIN_CANARY_BATCH) return 1;
  const percentage = Math.floor((size * 100) / total);
  return shareOf(total, percentage) >= size ? percentage : percentage + 1;
}

function toDeviceKind({ deviceType, version, attributes, count }: CanaryKind): DeviceKind {
  return { device_type: deviceType, version, attributes, count };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

const clamp = (value: number, least: number, most: number): number =>
  Math.min(most, Math.max(least, value));
