import type {
  BatchState,
  BatchView,
  DeploymentDetail,
  StatusBreakdown,
} from '../../backend/contract/admin-api.ts';
import { FINISHED_TARGET_STATUSES, TARGET_STATUSES } from '../../backend/contract/states.ts';
import { texts } from '../texts/texts.ts';

/** One batch with a card of its own. */
export interface TrackCard {
  kind: 'batch';
  batch: BatchView;
  finished: number;
  waitReason: string | null;
}

/** Consecutive batches behind one card, which sums them up. */
export interface TrackFold {
  kind: 'folded';
  /** Stays the same while batches are added to or removed from the fold. */
  key: string;
  level: FoldLevel;
  batches: readonly BatchView[];
  size: number;
  finished: number;
  status_breakdown: StatusBreakdown;
  /** The state of all its batches; `null` if they differ. */
  state: BatchState | null;
  /** Its cards if it is open; empty if it is closed. */
  items: TrackItem[];
}

export type TrackItem = TrackCard | TrackFold;

/** 0: folds of the track. 1: folds of `SUB_FOLD` batches within a large one. */
export type FoldLevel = 0 | 1;

/**
 * Which folds the user opened, as the numbers of the batches in them: folds change while the rollout
 * progresses, but the batches of an opened fold stay visible.
 */
export type OpenBatches = Record<FoldLevel, ReadonlySet<number>>;

export const SUB_FOLD = 24;
export const ALL_CLOSED: OpenBatches = { 0: new Set(), 1: new Set() };

export function finishedIn(batch: Pick<BatchView, 'status_breakdown'>): number {
  return FINISHED_TARGET_STATUSES.reduce((sum, status) => sum + batch.status_breakdown[status], 0);
}

/**
 * The batches as the track shows them. Up to `maxCards` batches have a card each. Of more, only the last one and
 * those around the running one do, and the others are folded. The selected batch is never inside a closed fold:
 * the fold is split around it.
 */
export function batchTrack(
  detail: Pick<DeploymentDetail, 'batches' | 'status' | 'rollout_strategy'>,
  maxCards: number,
  open: OpenBatches = ALL_CLOSED,
  selected: number | null = null,
): TrackItem[] {
  const { batches } = detail;
  const card = (batch: BatchView): TrackItem => ({
    kind: 'batch',
    batch,
    finished: finishedIn(batch),
    waitReason: waitReasonOf(batch, detail),
  });
  if (batches.length <= maxCards) return batches.map(card);

  const firstUnfinished = batches.findIndex((batch) => batch.state !== 'ended');
  const current = firstUnfinished === -1 ? batches.length - 1 : firstUnfinished;
  const from = Math.max(0, Math.min(current - 1, batches.length - maxCards + 2));
  const to = Math.min(batches.length, from + maxCards - 2);

  const fold = (
    part: readonly BatchView[],
    level: FoldLevel,
    anchor: 'first' | 'last',
  ): TrackItem[] => {
    const rest = (piece: readonly BatchView[]) => fold(piece, level, anchor);
    if (part.length < 2) return part.map(card);
    const isOpen = part.some(({ number }) => open[level].has(number));
    const selectedAt = part.findIndex(({ number }) => number === selected);
    if (!isOpen && selectedAt !== -1) {
      return [
        ...rest(part.slice(0, selectedAt)),
        ...part.slice(selectedAt, selectedAt + 1).map(card),
        ...rest(part.slice(selectedAt + 1)),
      ];
    }
    const inside = (): TrackItem[] =>
      level === 1 || part.length <= SUB_FOLD
        ? part.map(card)
        : subFolds(part).flatMap((piece) => fold(piece, 1, anchor));
    const fixed = anchor === 'first' ? part[0] : part.at(-1);
    return [
      {
        ...summarize(part),
        kind: 'folded' as const,
        key: `${level}-${anchor}-${fixed?.number ?? 0}`,
        level,
        batches: part,
        items: isOpen ? inside() : [],
      },
    ];
  };
  return [
    ...fold(batches.slice(0, from), 0, 'first'),
    ...batches.slice(from, to).map(card),
    ...fold(batches.slice(to, -1), 0, 'last'),
    ...batches.slice(Math.max(to, batches.length - 1)).map(card),
  ];
}

/** Opens a closed fold, or closes an open one with the folds inside it. */
export function toggleFold(open: OpenBatches, fold: TrackFold): OpenBatches {
  const numbers = fold.batches.map(({ number }) => number);
  const next = { 0: new Set(open[0]), 1: new Set(open[1]) };
  if (fold.items.length > 0) {
    for (const number of numbers) {
      next[fold.level].delete(number);
      next[1].delete(number);
    }
    return next;
  }
  for (const number of numbers) {
    next[fold.level].add(number);
    // Batches that have cards keep them when the fold grows large enough to have folds of its own.
    if (numbers.length <= SUB_FOLD) next[1].add(number);
  }
  return next;
}

/** Splits by batch number, not by position, so that the folds stay the same while the rollout progresses. */
function subFolds(batches: readonly BatchView[]): BatchView[][] {
  const pieces = new Map<number, BatchView[]>();
  for (const batch of batches) {
    const piece = Math.floor((batch.number - 1) / SUB_FOLD);
    pieces.set(piece, [...(pieces.get(piece) ?? []), batch]);
  }
  return [...pieces.values()];
}

function summarize(batches: readonly BatchView[]) {
  const status_breakdown = Object.fromEntries(
    TARGET_STATUSES.map((status) => [
      status,
      batches.reduce((sum, batch) => sum + batch.status_breakdown[status], 0),
    ]),
  ) as StatusBreakdown;
  const state = batches[0]?.state ?? null;
  return {
    size: batches.reduce((sum, batch) => sum + batch.size, 0),
    finished: finishedIn({ status_breakdown }),
    status_breakdown,
    state: batches.every((batch) => batch.state === state) ? state : null,
  };
}

/** What a planned batch is waiting for; `null` if it is released, or never will be. */
function waitReasonOf(
  batch: BatchView,
  detail: Pick<DeploymentDetail, 'batches' | 'status' | 'rollout_strategy'>,
): string | null {
  const t = texts.detail.waiting;
  if (batch.state !== 'planned') return null;
  if (detail.status === 'pending') return t.start;
  if (detail.status === 'paused') return t.resume;
  if (detail.status !== 'in_progress') return null;
  if (detail.rollout_strategy === 'canary') return t.expand;
  const before = detail.batches.find((candidate) => candidate.number === batch.number - 1);
  if (!before) return t.next;
  if (before.state === 'planned') return t.after(before.number);
  const open = before.size - finishedIn(before);
  return open > 0 ? t.before(before.number, open) : t.next;
}
