/** SVG paths of step charts, where a value holds until the next one. */
export interface PlotPoint {
  x: number;
  y: number;
}

export function stepPath([first, ...rest]: readonly PlotPoint[]): string {
  if (!first) return '';
  return `M${coordinates(first)}` + rest.map(({ x, y }) => `H${round(x)}V${round(y)}`).join('');
}

/** The area between the line and `floor`. */
export function areaPath(points: readonly PlotPoint[], floor: number): string {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return '';
  return `${stepPath(points)}V${round(floor)}H${round(first.x)}Z`;
}

/** Index of the last point at or before `x`; 0 if there is none. */
export function pointAt(points: readonly PlotPoint[], x: number): number {
  const after = points.findIndex((point) => point.x > x);
  return Math.max((after === -1 ? points.length : after) - 1, 0);
}

const coordinates = ({ x, y }: PlotPoint): string => `${round(x)},${round(y)}`;
const round = (value: number): string => String(Math.round(value * 10) / 10);
