/** Ticks and labels of the chart's axes. Times are in the viewer's time zone. */
import { tickStep } from 'd3-array';
import { timeTicks } from 'd3-time';
import { locale } from '../../texts/texts.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** A day on which daylight saving time begins. */
const SHORTEST_DAY = 23 * HOUR;
const SHORTEST_MONTH = 28 * 24 * HOUR;
/** Width of a character in a label, and the space between two labels. */
const CHARACTER_PX = 6.3;
const GAP_PX = 18;

const CLOCK = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
const DATE = { day: 'numeric', month: 'short' } as const;
const FORMATS = {
  seconds: { ...CLOCK, second: '2-digit' },
  minutes: CLOCK,
  datedMinutes: { ...DATE, ...CLOCK },
  days: DATE,
  datedDays: { ...DATE, year: 'numeric' },
  months: { month: 'short', year: 'numeric' },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>;

export interface TimeTick {
  at: Date;
  label: string;
}

/**
 * As many ticks as there is space for their labels, at least two if they fit. No label is repeated.
 *
 * @param width of the axis, in px
 */
export function timeAxis(from: Date, to: Date, width: number): TimeTick[] {
  const span = Math.max(to.getTime() - from.getTime(), 1);
  const ticksOf = (count: number) => labeled(evenly(timeTicks(from, to, count)), span);
  const isGood = (ticks: TimeTick[]) => ticks.length > 1 && fits(ticks, width / span);
  for (let count = Math.max(Math.floor(width / 50), 2); count > 1; count--) {
    const ticks = ticksOf(count);
    if (isGood(ticks)) return ticks;
  }
  // The next larger step exceeds the span, as from two days to a week: thin out the smaller one.
  const close = ticksOf(4);
  const thinned = [2, 3, 4]
    .map((every) => close.filter((_, index) => index % every === 0))
    .find(isGood);
  return thinned ?? close.slice(0, 1);
}

/** D3 restarts "every other day" with each month; drops ticks that are too close to the one before. */
function evenly(times: Date[]): Date[] {
  const usual = Math.max(...gaps(times));
  let last = -Infinity;
  return times.filter((at) => {
    if (at.getTime() - last < usual * 0.7) return false;
    last = at.getTime();
    return true;
  });
}

function labeled(times: Date[], span: number): TimeTick[] {
  const step = Math.min(span, ...gaps(times));
  const text = new Intl.DateTimeFormat(locale, formatFor(times, step));
  const seen = new Set<string>();
  return times.flatMap((at) => {
    const label = text.format(at);
    // An hour repeats when daylight saving time ends.
    if (seen.has(label)) return [];
    seen.add(label);
    return [{ at, label }];
  });
}

function formatFor(times: Date[], step: number): Intl.DateTimeFormatOptions {
  if (step >= SHORTEST_MONTH && times.length > 1) return FORMATS.months;
  const [first, last] = [times[0], times.at(-1)];
  if (!first || !last) return FORMATS.minutes;
  if (step >= SHORTEST_DAY && isMidnight(first)) {
    return first.getFullYear() === last.getFullYear() ? FORMATS.days : FORMATS.datedDays;
  }
  if (first.toDateString() !== last.toDateString()) return FORMATS.datedMinutes;
  return step < MINUTE ? FORMATS.seconds : FORMATS.minutes;
}

function fits(ticks: TimeTick[], pxPerMs: number): boolean {
  const longest = Math.max(0, ...ticks.map(({ label }) => label.length));
  const room = Math.min(...gaps(ticks.map(({ at }) => at))) * pxPerMs;
  return room >= longest * CHARACTER_PX + GAP_PX;
}

function gaps(times: Date[]): number[] {
  return times.slice(1).map((at, index) => at.getTime() - (times[index]?.getTime() ?? 0));
}

function isMidnight(at: Date): boolean {
  return at.getHours() === 0 && at.getMinutes() === 0 && at.getSeconds() === 0;
}

/** Evenly spaced whole numbers from 0 to the first one at or above `max`. */
export function countAxis(max: number): number[] {
  const step = Math.max(1, tickStep(0, Math.max(max, 1), 4));
  const steps = Math.ceil(Math.max(max, 1) / step);
  return Array.from({ length: steps + 1 }, (_, index) => index * step);
}
