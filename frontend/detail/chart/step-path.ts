/** Paths of SVG for values that hold until the next one. */
export interface PlotPoint {
  x: number;
  y: number;
}

export function stepPath([first, ...rest]: readonly PlotPoint[]): string {
  if (!first) return '';
  return `M${place(first)}` + rest.map(({ x, y }) => `H${short(x)}V${short(y)}`).join('');
}

/** What is below the line, down to `floor`. */
export function areaPath(points: readonly PlotPoint[], floor: number): string {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return '';
  return `${stepPath(points)}V${short(floor)}H${short(first.x)}Z`;
}

/** The point that holds at `x`: the last one at or before it. */
export function pointAt(points: readonly PlotPoint[], x: number): number {
  const after = points.findIndex((point) => point.x > x);
  return Math.max((after === -1 ? points.length : after) - 1, 0);
}

const place = ({ x, y }: PlotPoint): string => `${short(x)},${short(y)}`;
const short = (value: number): string => String(Math.round(value * 10) / 10);
