import { expect } from 'chai';
import {
  byVersion,
  formatBytes,
  formatDuration,
  formatExact,
  formatPercent,
  formatRelative,
} from '../../../frontend/shared/format.ts';

const NOW = new Date('2026-03-10T12:00:00Z');
const ago = (seconds: number) => new Date(NOW.getTime() - seconds * 1_000);

describe('formatting', () => {
  const durations: [number | null, string][] = [
    [null, '–'],
    [0, '0 s'],
    [59.6, '1 min'],
    [200, '3 min 20 s'],
    [7_500, '2 h 5 min'],
    [7_205, '2 h'],
    [273_600, '3 d 4 h'],
  ];
  for (const [seconds, words] of durations) {
    it(`writes ${seconds} seconds as ${words}`, () => {
      expect(formatDuration(seconds)).to.equal(words);
    });
  }

  const moments: [number, string][] = [
    [10, 'just now'],
    [-10, 'just now'],
    [180, '3 min ago'],
    [-7_200, 'in 2 hr'],
    [86_400, 'yesterday'],
    [8 * 86_400, '2 Mar 2026'],
  ];
  for (const [seconds, words] of moments) {
    it(`writes a moment ${seconds} seconds ago as ${words}`, () => {
      expect(formatRelative(ago(seconds), NOW, 'UTC')).to.equal(words);
    });
  }

  it("writes the exact moment in the viewer's zone", () => {
    expect(formatExact(NOW, 'Asia/Tokyo')).to.match(/^10 Mar 2026, 21:00:00 GMT\+9$/);
    expect(formatExact(NOW, 'UTC')).to.equal('10 Mar 2026, 12:00:00 UTC');
  });

  it('writes shares with at most one decimal, and a dash where there is nothing to divide by', () => {
    expect([66.7, 100, 0, null].map(formatPercent)).to.deep.equal(['66.7 %', '100 %', '0 %', '–']);
  });

  it('writes sizes in binary units', () => {
    expect([12, 2_048, 3_670_016].map(formatBytes)).to.deep.equal(['12 B', '2 KiB', '3.5 MiB']);
  });

  it('sorts versions by their numbers, unknown ones first', () => {
    const sorted = ['v2.10.0', null, 'nightly', '2.9.0', 'v1.0.0'].sort(byVersion);
    expect(sorted).to.deep.equal([null, 'nightly', 'v1.0.0', '2.9.0', 'v2.10.0']);
  });
});
