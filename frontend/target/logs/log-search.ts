/** Offsets of a match in the text of a log; `end` is exclusive. */
export interface LogMatch {
  start: number;
  end: number;
}

/** All matches in order, case-insensitive and without overlaps; none for an empty query. */
export function findMatches(text: string, query: string): LogMatch[] {
  if (query === '') return [];
  const escaped = query.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  return Array.from(text.matchAll(new RegExp(escaped, 'giu')), ({ 0: found, index }) => ({
    start: index,
    end: index + found.length,
  }));
}

/** Index of the first match at or after an offset; 0 if there is none. */
export function matchAtOrAfter(matches: readonly LogMatch[], offset: number): number {
  return Math.max(
    matches.findIndex(({ start }) => start >= offset),
    0,
  );
}

/** Index of the next or previous match; wraps around at both ends. */
export function adjacentMatch(current: number, step: 1 | -1, total: number): number {
  return (current + step + total) % total;
}

/** Index of the first of `size` matches around the current one, since highlighting all of many is slow. */
export function windowStart(current: number, size: number, total: number): number {
  return Math.max(0, Math.min(current - Math.floor(size / 2), total - size));
}
