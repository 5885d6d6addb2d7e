/** A measured figure, as `npm run bench -- --json` prints it, one object each. */
import { appendFileSync } from 'node:fs';

export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** `value` ÷ its limit of the same run, where there is such a limit; else `null`. */
  ratio: number | null;
  /** What the ratio is against. */
  against: string | null;
  /** What the value (or the ratio, where there is one) is to reach, in words. */
  goal: string;
  holds: boolean;
}

/** File that takes the figures of tests that measure something; set by the bench. */
export const FIGURES_FILE = 'OTA_FIGURES_FILE';

/** Notes a figure that a test measured, when somebody collects them. */
export function recordFigure(figure: Figure): void {
  const file = process.env[FIGURES_FILE];
  if (file) appendFileSync(file, `${JSON.stringify(figure)}\n`);
}

/** A figure that is judged by its ratio to a limit measured in the same run. */
export function ratioFigure(
  name: string,
  { value, unit, limit, against }: { value: number; unit: string; limit: number; against: string },
  goal: { below: number } | { atLeast: number } | null,
): Figure {
  const ratio = Math.round((value / limit) * 100) / 100;
  const holds = goal === null || ('below' in goal ? ratio <= goal.below : ratio >= goal.atLeast);
  const words = goal === null ? 'none' : 'below' in goal ? `≤ ${goal.below}` : `≥ ${goal.atLeast}`;
  return { name, value: Math.round(value * 10) / 10, unit, ratio, against, goal: words, holds };
}

/** An absolute figure that should stay below (or reach at least) a limit. */
export function absoluteFigure(
  name: string,
  value: number,
  unit: string,
  goal: { below: number } | { atLeast: number },
): Figure {
  const holds = 'below' in goal ? value < goal.below : value >= goal.atLeast;
  const words = 'below' in goal ? `< ${goal.below} ${unit}` : `≥ ${goal.atLeast} ${unit}`;
  const rounded = Math.round(value * 10) / 10;
  return { name, value: rounded, unit, ratio: null, against: null, goal: words, holds };
}
