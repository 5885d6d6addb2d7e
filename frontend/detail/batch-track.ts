import type {
  BatchState,
  BatchView,
  DeploymentDetail,
  StatusBreakdown,
} from '../../backend/contract/admin-api.ts';
import { FINISHED_TARGET_STATUSES, TARGET_STATUSES } from '../../backend/contract/states.ts';
import { texts } from '../texts/texts.ts';

/** A batch on the track. */
export interface TrackCard {
  kind: 'batch';
  batch: BatchView;
  ended: number;
  waits: string | null;
}

/** Neighbouring batches as one card, with the facts of a card for all of them. */
export interface TrackFold {
  kind: 'folded';
  /** Stays the same while batches before or behind it come and go. */
  key: string;
  level: FoldLevel;
  batches: readonly BatchView[];
  size: number;
  ended: number;
  status_breakdown: StatusBreakdown;
  /** Of all of its batches; `null` where they differ. */
  state: BatchState | null;
  /** What it shows when it is open; empty when it is not. */
  items: TrackItem[];
}

export type TrackItem = TrackCard | TrackFold;

/** Folds of the track, and in those with many batches folds of `SUB_FOLD` each. */
export type FoldLevel = 0 | 1;

/**
 * Which folds the reader opened, as numbers of the batches in them: the folds change while the rollout
 * moves on, and what was opened stays open.
 */
export type OpenBatches = Record<FoldLevel, ReadonlySet<number>>;

export const SUB_FOLD = 24;
export const NOTHING_OPEN: OpenBatches = { 0: new Set(), 1: new Set() };

export function endedIn(batch: Pick<BatchView, 'status_breakdown'>): number {
  return FINISHED_TARGET_STATUSES.reduce((sum, status) => sum + batch.status_breakdown[status], 0);
}

/**
 * The batches as the track shows them. Up to `room` stand one by one; of more, those around the
 * batch that runs now do, the last one too, and the others are folded. The selected one is never
 * inside a closed fold: the fold is parted around it.
 */
export function batchTrack(
  detail: Pick<DeploymentDetail, 'batches' | 'status' | 'rollout_strategy'>,
  room: number,
  open: OpenBatches = NOTHING_OPEN,
  selected: number | null = null,
): TrackItem[] {
  const { batches } = detail;
  const card = (batch: BatchView): TrackItem => ({
    kind: 'batch',
    batch,
    ended: endedIn(batch),
    waits: waitsFor(batch, detail),
  });
  if (batches.length <= room) return batches.map(card);

  const firstOpen = batches.findIndex((batch) => batch.state !== 'ended');
  const current = firstOpen === -1 ? batches.length - 1 : firstOpen;
  const from = Math.max(0, Math.min(current - 1, batches.length - room + 2));
  const to = Math.min(batches.length, from + room - 2);

  const fold = (
    part: readonly BatchView[],
    level: FoldLevel,
    anchor: 'first' | 'last',
  ): TrackItem[] => {
    const rest = (piece: readonly BatchView[]) => fold(piece, level, anchor);
    if (part.length < 2) return part.map(card);
    const isOpen = part.some(({ number }) => open[level].has(number));
    const pulledOut = part.findIndex(({ number }) => number === selected);
    if (!isOpen && pulledOut !== -1) {
      return [
        ...rest(part.slice(0, pulledOut)),
        ...part.slice(pulledOut, pulledOut + 1).map(card),
        ...rest(part.slice(pulledOut + 1)),
      ];
    }
    const inside = (): TrackItem[] =>
      level === 1 || part.length <= SUB_FOLD
        ? part.map(card)
        : subFolds(part).flatMap((piece) => fold(piece, 1, anchor));
    const fixed = anchor === 'first' ? part[0] : part.at(-1);
    return [
      {
        ...factsOf(part),
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

/** After the reader opened a closed fold or closed an open one. */
export function toggled(open: OpenBatches, fold: TrackFold): OpenBatches {
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
    // Shown one by one, they stay so when the fold grows and gets folds of its own.
    if (numbers.length <= SUB_FOLD) next[1].add(number);
  }
  return next;
}

/** By numbers, not by position: the borders stay where they are while the rollout moves on. */
function subFolds(batches: readonly BatchView[]): BatchView[][] {
  const pieces = new Map<number, BatchView[]>();
  for (const batch of batches) {
    const piece = Math.floor((batch.number - 1) / SUB_FOLD);
    pieces.set(piece, [...(pieces.get(piece) ?? []), batch]);
  }
  return [...pieces.values()];
}

function factsOf(batches: readonly BatchView[]) {
  const status_breakdown = Object.fromEntries(
    TARGET_STATUSES.map((status) => [
      status,
      batches.reduce((sum, batch) => sum + batch.status_breakdown[status], 0),
    ]),
  ) as StatusBreakdown;
  const state = batches[0]?.state ?? null;
  return {
    size: batches.reduce((sum, batch) => sum + batch.size, 0),
    ended: endedIn({ status_breakdown }),
    status_breakdown,
    state: batches.every((batch) => batch.state === state) ? state : null,
  };
}

/** Why a planned batch has not been released; `null` where nothing is to be waited for. */
function waitsFor(
  batch: BatchView,
  detail: Pick<DeploymentDetail, 'batches' | 'status' | 'rollout_strategy'>,
): string | null {
  const t = texts.detail.waits;
  if (batch.state !== 'planned') return null;
  if (detail.status === 'pending') return t.start;
  if (detail.status === 'paused') return t.resume;
  if (detail.status !== 'in_progress') return null;
  if (detail.rollout_strategy === 'canary') return t.expand;
  const before = detail.batches.find((candidate) => candidate.number === batch.number - 1);
  if (!before) return t.next;
  if (before.state === 'planned') return t.after(before.number);
  const open = before.size - endedIn(before);
  return open > 0 ? t.before(before.number, open) : t.next;
}
