/** Figures that `npm run bench` measures; `--json` prints one object per figure. */
import { appendFileSync } from 'node:fs';

export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** `value` ÷ the baseline measured in the same run; `null` if there is none. */
  ratio: number | null;
  /** Name of the baseline. */
  against: string | null;
  /** Goal for the ratio, or for the value if there is no ratio, e.g. `< 50 ms`. */
  goal: string;
  /** Whether the goal is met. */
  met: boolean;
}

/** Environment variable set by the benchmark: file to which tests append their figures. */
export const FIGURES_FILE = 'OTA_FIGURES_FILE';

/** Records a figure that a test measured, if it runs as part of the benchmark. */
export function recordFigure(figure: Figure): void {
  const file = process.env[FIGURES_FILE];
  if (file) appendFileSync(file, `${JSON.stringify(figure)}\n`);
}

/** A figure with a goal for its ratio to a baseline that was measured in the same run. */
export function ratioFigure(
  name: string,
  {
    value,
    unit,
    baseline,
    against,
  }: { value: number; unit: string; baseline: number; against: string },
  goal: { below: number } | { atLeast: number } | null,
): Figure {
  const ratio = Math.round((value / baseline) * 100) / 100;
  const met = goal === null || ('below' in goal ? ratio <= goal.below : ratio >= goal.atLeast);
  const words = goal === null ? 'none' : 'below' in goal ? `≤ ${goal.below}` : `≥ ${goal.atLeast}`;
  return { name, value: Math.round(value * 10) / 10, unit, ratio, against, goal: words, met };
}

/** A figure without a goal. */
export function plainFigure(name: string, value: number, unit: string): Figure {
  const rounded = Math.round(value * 10) / 10;
  return { name, value: rounded, unit, ratio: null, against: null, goal: 'none', met: true };
}

/** A figure with a goal for its value. */
export function absoluteFigure(
  name: string,
  value: number,
  unit: string,
  goal: { below: number } | { atLeast: number },
): Figure {
  const met = 'below' in goal ? value < goal.below : value >= goal.atLeast;
  const words = 'below' in goal ? `< ${goal.below} ${unit}` : `≥ ${goal.atLeast} ${unit}`;
  const rounded = Math.round(value * 10) / 10;
  return { name, value: rounded, unit, ratio: null, against: null, goal: words, met };
}
