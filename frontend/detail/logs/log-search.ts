/** Where a log holds what is searched for. */
export interface LogMatch {
  start: number;
  end: number;
}

/** Every place, in order and without overlaps, in whatever case. */
export function findMatches(text: string, query: string): LogMatch[] {
  if (query === '') return [];
  const literally = query.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  return Array.from(text.matchAll(new RegExp(literally, 'giu')), ({ 0: found, index }) => ({
    start: index,
    end: index + found.length,
  }));
}

/** The match at or after a place in the text, the first one when there is none. */
export function matchFrom(matches: readonly LogMatch[], place: number): number {
  return Math.max(
    matches.findIndex(({ start }) => start >= place),
    0,
  );
}

/** The adjacentMatch of a match; after the last one comes the first. */
export function adjacentMatch(current: number, step: 1 | -1, total: number): number {
  return (current + step + total) % total;
}

/** Where `size` matches around the current one begin: drawing is what costs, not counting. */
export function windowStart(current: number, size: number, total: number): number {
  return Math.max(0, Math.min(current - Math.floor(size / 2), total - size));
}
