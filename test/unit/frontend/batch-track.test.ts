import { expect } from 'chai';
import type { BatchView, StatusBreakdown } from '../../../backend/contract/admin-api.ts';
import { TARGET_STATUSES } from '../../../backend/contract/states.ts';
import { batchTrack, ALL_CLOSED, toggleFold } from '../../../frontend/detail/batch-track.ts';
import type { TrackFold, TrackItem } from '../../../frontend/detail/batch-track.ts';

const MAX_CARDS = 8;
const NONE = Object.fromEntries(TARGET_STATUSES.map((status) => [status, 0])) as StatusBreakdown;

/** A rolling deployment whose batch `running` is running; the batches before it have finished, each with a failure. */
function rolling(batches: number, running: number) {
  return {
    status: 'in_progress' as const,
    rollout_strategy: 'rolling' as const,
    batches: Array.from({ length: batches }, (_, index): BatchView => {
      const number = index + 1;
      const finished = number < running;
      return {
        number,
        size: 20,
        state: finished ? 'ended' : number === running ? 'running' : 'planned',
        released_at: null,
        status_breakdown: finished
          ? { ...NONE, completed: 16, failed: 1, skipped: 2, rolled_back: 1 }
          : { ...NONE, pending: 20 },
      };
    }),
  };
}

const folds = (items: readonly TrackItem[]) =>
  items.filter((item): item is TrackFold => item.kind === 'folded');
const range = ({ batches }: TrackFold) => [batches[0]?.number, batches.at(-1)?.number];
/** Numbers of the batches that have a card of their own, at any depth. */
const shown = (items: readonly TrackItem[]): number[] =>
  items.flatMap((item) => (item.kind === 'batch' ? [item.batch.number] : shown(item.items)));
const foldAt = (items: readonly TrackItem[], number: number): TrackFold => {
  const found = folds(items).find(({ batches }) => batches.some((one) => one.number === number));
  if (!found) throw new Error(`No fold holds batch ${number}.`);
  return found;
};

describe('folds of the batch track', () => {
  it('G46 sum up their batches as a card does one', () => {
    const [fold] = folds(batchTrack(rolling(40, 20), MAX_CARDS));
    expect(fold).to.deep.include({ size: 360, finished: 360, state: 'ended', items: [] });
    expect(fold?.status_breakdown).to.deep.equal({
      ...NONE,
      completed: 288,
      failed: 18,
      skipped: 36,
      rolled_back: 18,
    });
  });

  it('G46 open and close', () => {
    const detail = rolling(40, 20);
    const closed = batchTrack(detail, MAX_CARDS);
    const open = toggleFold(ALL_CLOSED, foldAt(closed, 5));
    const opened = batchTrack(detail, MAX_CARDS, open);
    expect(shown(foldAt(opened, 5).items)).to.deep.equal(
      Array.from({ length: 18 }, (_, i) => i + 1),
    );
    const again = toggleFold(open, foldAt(opened, 5));
    expect(batchTrack(detail, MAX_CARDS, again)).to.deep.equal(closed);
  });

  it('G46 of more than 24 batches contain folds of at most 24, which also open', () => {
    const detail = rolling(1_000, 500);
    let open = toggleFold(ALL_CLOSED, foldAt(batchTrack(detail, MAX_CARDS), 700));
    const [, after] = folds(batchTrack(detail, MAX_CARDS, open));
    const inner = folds(after?.items ?? []);
    expect(inner.length).to.be.within(20, 22);
    for (const fold of inner) expect(fold.batches.length).to.be.within(2, 24);
    expect(inner.slice(1, 3).map(range)).to.deep.equal([
      [529, 552],
      [553, 576],
    ]);
    const inside = inner[1];
    if (!inside) throw new Error('There is no second fold.');
    open = toggleFold(open, inside);
    expect(shown(batchTrack(detail, MAX_CARDS, open))).to.include.members([529, 540, 552]);
  });

  it('G46 never hide the selected batch', () => {
    const detail = rolling(1_000, 500);
    for (const selected of [1, 2, 3, 250, 496, 497, 520, 998, 999, 1_000]) {
      const items = batchTrack(detail, MAX_CARDS, ALL_CLOSED, selected);
      expect(shown(items), `batch ${selected}`).to.include(selected);
      const open = toggleFold(ALL_CLOSED, foldAt(items, 700));
      expect(shown(batchTrack(detail, MAX_CARDS, open, selected))).to.include(selected);
    }
  });

  it('G46 stay open while the rollout progresses', () => {
    for (const size of [40, 200]) {
      const first = batchTrack(rolling(size, 15), MAX_CARDS);
      let open = toggleFold(ALL_CLOSED, foldAt(first, 5));
      open = toggleFold(open, foldAt(first, 30));
      const behind = batchTrack(rolling(size, 15), MAX_CARDS, open);
      const sub = folds(foldAt(behind, 30).items)[0];
      if (sub) open = toggleFold(open, sub);
      const before = shown(batchTrack(rolling(size, 15), MAX_CARDS, open));
      for (let running = 16; running < size - 1; running += 1) {
        const items = batchTrack(rolling(size, running), MAX_CARDS, open);
        expect(shown(items), `batch ${running} runs`).to.include.members(before.slice(0, 30));
      }
    }
  });

  it('G46 keep their keys, and so the focus, while the rollout progresses', () => {
    const keys = (running: number) =>
      folds(batchTrack(rolling(200, running), MAX_CARDS)).map(({ key }) => key);
    expect(keys(51)).to.deep.equal(keys(50));
  });
});
