/** Parsers for values of command-line options. */
import { InvalidArgumentError } from 'commander';

export const DAY_SECONDS = 24 * 60 * 60;

/** Of an option that can be repeated. */
export function collect(value: string, earlier: string[]): string[] {
  return [...earlier, value];
}

export function wholeNumber(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(number)) {
    throw new InvalidArgumentError('It must be a whole number.');
  }
  return number;
}

export function percentage(value: string): number {
  const number = wholeNumber(value);
  if (number < 1 || number > 100) throw new InvalidArgumentError('It must be 1 to 100.');
  return number;
}

/** At most 24 days, the limit of timers. */
export function seconds(value: string): number {
  const number = wholeNumber(value);
  if (number > 24 * DAY_SECONDS) throw new InvalidArgumentError('It must be at most 24 days.');
  return number;
}
