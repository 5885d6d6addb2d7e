import type { BatchView, DeploymentDetail } from '../../backend/contract/admin-api.ts';
import { ENDED_TARGET_STATUSES } from '../../backend/contract/states.ts';
import { texts } from '../texts/texts.ts';

/** One station of the track: a batch, or a run of batches folded into one. */
export type TrackItem =
  | { kind: 'batch'; batch: BatchView; ended: number; waits: string | null }
  | { kind: 'folded'; batches: BatchView[]; devices: number };

export function endedIn(batch: Pick<BatchView, 'status_breakdown'>): number {
  return ENDED_TARGET_STATUSES.reduce((sum, status) => sum + batch.status_breakdown[status], 0);
}

/**
 * The batches as the track shows them. Up to `room` stand one by one; of more, those around the
 * batch that runs now do, the last one too, and the others are folded.
 */
export function batchTrack(
  detail: Pick<DeploymentDetail, 'batches' | 'status' | 'rollout_strategy'>,
  room: number,
): TrackItem[] {
  const { batches } = detail;
  const item = (batch: BatchView): TrackItem => ({
    kind: 'batch',
    batch,
    ended: endedIn(batch),
    waits: waitsFor(batch, detail),
  });
  if (batches.length <= room) return batches.map(item);

  const firstOpen = batches.findIndex((batch) => batch.state !== 'ended');
  const current = firstOpen === -1 ? batches.length - 1 : firstOpen;
  const from = Math.max(0, Math.min(current - 1, batches.length - room + 2));
  const to = Math.min(batches.length, from + room - 2);
  const fold = (part: BatchView[]): TrackItem[] =>
    part.length < 2
      ? part.map(item)
      : [{ kind: 'folded', batches: part, devices: part.reduce((sum, b) => sum + b.size, 0) }];
  return [
    ...fold(batches.slice(0, from)),
    ...batches.slice(from, to).map(item),
    ...fold(batches.slice(to, -1)),
    ...batches.slice(Math.max(to, batches.length - 1)).map(item),
  ];
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
