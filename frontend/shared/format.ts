/**
 * Formats numbers, times and sizes. Pure: the current time and the time zone are arguments where they matter, so
 * that results can be tested.
 */
import { compareVersions } from '../../backend/contract/version.ts';
import { locale, texts } from '../texts/texts.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// Creating a formatter costs far more than using it, and tables format hundreds of values.
const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' });
const dateFormats = new Map<string, Intl.DateTimeFormat>();
const wholeNumber = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const oneDecimal = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });

export function formatCount(value: number): string {
  return wholeNumber.format(value);
}

/** @param value 0–100; `null` (nothing to divide by) becomes a dash */
export function formatPercent(value: number | null): string {
  return value === null ? texts.common.none : `${oneDecimal.format(value)} %`;
}

/** The two largest units: `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function formatDuration(seconds: number | null): string {
  if (seconds === null) return texts.common.none;
  const whole = Math.max(0, Math.round(seconds));
  const units = texts.units;
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), units.days],
    [Math.floor(whole / 3_600) % 24, units.hours],
    [Math.floor(whole / 60) % 60, units.minutes],
    [whole % 60, units.seconds],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first === -1) return `0 ${units.seconds}`;
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(' ');
}

/** "just now", "3 min ago", "in 2 hr", "yesterday"; the date from a week on. */
export function formatRelative(at: Date, now: Date, timeZone?: string): string {
  const difference = at.getTime() - now.getTime();
  const distance = Math.abs(difference);
  if (distance < 45 * SECOND) return texts.time.now;
  if (distance < HOUR) return relative.format(Math.round(difference / MINUTE), 'minute');
  if (distance < DAY) return relative.format(Math.round(difference / HOUR), 'hour');
  if (distance < 7 * DAY) return relative.format(Math.round(difference / DAY), 'day');
  return dateFormat({ dateStyle: 'medium', ...(timeZone && { timeZone }) }).format(at);
}

/** Date, time to the second, and time zone. */
export function formatExact(at: Date, timeZone?: string): string {
  return dateFormat({
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'short',
    ...(timeZone && { timeZone }),
  }).format(at);
}

export function formatClock(at: Date, timeZone?: string): string {
  return dateFormat({
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    ...(timeZone && { timeZone }),
  }).format(at);
}

function dateFormat(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = JSON.stringify(options);
  const format = dateFormats.get(key) ?? new Intl.DateTimeFormat(locale, options);
  dateFormats.set(key, format);
  return format;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${oneDecimal.format(bytes / 1024)} KiB`;
  return `${oneDecimal.format(bytes / 1024 / 1024)} MiB`;
}

/**
 * Sorts versions by the server's rule, oldest first: `v2.9.0` before `v2.10.0`. Unknown versions (`null`) come
 * first, then those that are not numeric.
 */
export function byVersion(a: string | null, b: string | null): number {
  if (a === b) return 0;
  if (a === null) return -1;
  if (b === null) return 1;
  const isNumbered = (version: string) => compareVersions(version, version) !== null;
  const numbered = Number(isNumbered(a)) - Number(isNumbered(b));
  // Spellings of the same version (`2.1`, `v2.1.0`) need a stable order, too.
  return numbered || compareVersions(a, b) || collator.compare(a, b);
}
const collator = new Intl.Collator('en', { numeric: true });
