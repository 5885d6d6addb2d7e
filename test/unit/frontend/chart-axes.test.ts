import { expect } from 'chai';
import fc from 'fast-check';
import { countAxis, timeAxis } from '../../../frontend/detail/chart/axes.ts';
import { areaPath, pointAt, stepPath } from '../../../frontend/detail/chart/step-path.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('chart: labels of the time axis', () => {
  let zoneBefore: string | undefined;
  before(() => {
    zoneBefore = process.env['TZ'];
  });
  const setZone = (zone: string | undefined) => {
    if (zone === undefined) delete process.env['TZ'];
    else process.env['TZ'] = zone;
  };
  after(() => setZone(zoneBefore));

  const labels = (from: string, span: number, width: number) => {
    const start = new Date(from);
    return timeAxis(start, new Date(start.getTime() + span), width).map(({ label }) => label);
  };

  // A date stands before the time where midnight is among the ticks.
  const CLOCK = /^(\d+ \w+, )?\d\d:\d\d$/;
  const SECONDS = /^\d\d:\d\d:\d\d$/;
  const spans: [string, number, RegExp][] = [
    ['5 s', 5 * SECOND, SECONDS],
    ['40 s', 40 * SECOND, SECONDS],
    ['3 min', 3 * MINUTE, /^\d\d:\d\d(:\d\d)?$/],
    ['20 min', 20 * MINUTE, CLOCK],
    ['3 h', 3 * HOUR, CLOCK],
    ['30 h', 30 * HOUR, /^\d+ \w+(, \d\d:\d\d)?$/],
    ['3 days', 3 * DAY, /^\d+ \w+(, \d\d:\d\d)?$/],
    ['10 days', 10 * DAY, /^\d+ \w+$/],
    ['40 days', 40 * DAY, /^\d+ \w+$|^\w+ \d{4}$/],
    ['100 days', 100 * DAY, /^\d+ \w+$|^\w+ \d{4}$/],
    ['400 days', 400 * DAY, /^\w+ \d{4}$/],
  ];
  for (const [name, span, form] of spans) {
    for (const zone of ['UTC', 'Europe/Berlin', 'America/St_Johns']) {
      it(`G46 chart labels do not repeat over ${name} in ${zone}`, () => {
        setZone(zone);
        // Daylight saving time ends in Berlin during the last of these.
        for (const from of [
          '2026-03-10T09:12:07Z',
          '2026-06-01T00:00:00Z',
          '2026-10-24T23:30:00Z',
        ]) {
          for (const width of [260, 520, 1_100]) {
            const found = labels(from, span, width);
            const what = `${from}, ${width} px: ${found.join(' | ')}`;
            expect(new Set(found).size, what).to.equal(found.length);
            expect(found.length, what).to.be.at.least(2);
            for (const label of found) expect(label, what).to.match(form);
          }
        }
      });
    }
  }

  it('G46 chart labels do not repeat or overlap over any span', () => {
    setZone('Europe/Berlin');
    fc.assert(
      fc.property(
        fc.integer({ min: 5, max: 400 * 86_400 }),
        fc.integer({ min: 0, max: 2 * 365 * 86_400 }),
        fc.integer({ min: 200, max: 1_400 }),
        (span, offset, width) => {
          const from = new Date(Date.UTC(2025, 0, 1) + offset * SECOND);
          const ticks = timeAxis(from, new Date(from.getTime() + span * SECOND), width);
          const places = ticks.map(
            ({ at }) => ((at.getTime() - from.getTime()) / (span * SECOND)) * width,
          );
          const apart = places.every(
            (place, index) =>
              index === 0 || place - places[index - 1]! > ticks[index]!.label.length * 6,
          );
          return apart && new Set(ticks.map(({ label }) => label)).size === ticks.length;
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('G46 an hour that occurs twice has one label', () => {
    setZone('Europe/Berlin');
    expect(labels('2026-10-24T23:30:00Z', 4 * HOUR, 300)).to.deep.equal([
      '02:00',
      '03:00',
      '04:00',
    ]);
  });
});

describe('chart: count axis and step paths', () => {
  const maxima: [number, number[]][] = [
    [0, [0, 1]],
    [1, [0, 1]],
    [3, [0, 1, 2, 3]],
    [7, [0, 2, 4, 6, 8]],
    [1_000, [0, 200, 400, 600, 800, 1_000]],
  ];
  for (const [max, ticks] of maxima) {
    it(`G46 counts up to ${max} have whole numbers as labels`, () =>
      expect(countAxis(max)).to.deep.equal(ticks));
  }

  it('G46 a value holds until the next one', () => {
    const points = [
      { x: 0, y: 10 },
      { x: 5, y: 8 },
      { x: 9.04, y: 8 },
    ];
    expect(stepPath(points)).to.equal('M0,10H5V8H9V8');
    expect(areaPath(points, 10)).to.equal('M0,10H5V8H9V8V10H0Z');
    expect([stepPath([]), areaPath([], 10)]).to.deep.equal(['', '']);
    expect([-3, 0, 4.9, 5, 99].map((x) => pointAt(points, x))).to.deep.equal([0, 0, 0, 1, 2]);
  });
});
