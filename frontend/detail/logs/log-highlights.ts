/**
 * Marks matches without touching the DOM, by the CSS Custom Highlight API. Browsers without it show no
 * marks; the page scrolls to the match all the same.
 */
import type { LogMatch } from './log-search.ts';

const MATCH = 'ota-log-match';
const CURRENT = 'ota-log-current';

/** Text nodes of an element with the place in the text at which each begins. */
export interface TextMap {
  starts: number[];
  nodes: Text[];
}

export function mapText(element: Element): TextMap {
  const map: TextMap = { starts: [], nodes: [] };
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let start = 0;
  while (walker.nextNode()) {
    const node = walker.currentNode as Text;
    map.starts.push(start);
    map.nodes.push(node);
    start += node.length;
  }
  return map;
}

export function rangeOf({ start, end }: LogMatch, map: TextMap): Range | null {
  const from = nodeAt(map, start);
  const to = nodeAt(map, end - 1);
  if (!from || !to) return null;
  const range = new Range();
  range.setStart(from.node, start - from.start);
  range.setEnd(to.node, end - to.start);
  return range;
}

/** The last node that begins at or before a place, if it reaches that far. */
function nodeAt({ starts, nodes }: TextMap, place: number): { node: Text; start: number } | null {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] ?? Infinity) <= place) low = middle;
    else high = middle - 1;
  }
  const node = nodes[low];
  const start = starts[low];
  if (!node || start === undefined || place >= start + node.length) return null;
  return { node, start };
}

/** The marks of one log; several logs share the names that the style sheet gives colours to. */
export class LogHighlights {
  readonly #matches = highlightOf(MATCH, 0);
  readonly #current = highlightOf(CURRENT, 1);
  #shown: Range[] = [];
  #shownCurrent: Range | null = null;

  show(matches: Range[]): void {
    for (const range of this.#shown) this.#matches?.delete(range);
    for (const range of matches) this.#matches?.add(range);
    this.#shown = matches;
  }

  showCurrent(range: Range | null): void {
    if (this.#shownCurrent) this.#current?.delete(this.#shownCurrent);
    if (range) this.#current?.add(range);
    this.#shownCurrent = range;
  }

  clear(): void {
    this.show([]);
    this.showCurrent(null);
  }
}

function highlightOf(name: string, priority: number): Highlight | null {
  if (!('Highlight' in window && 'highlights' in CSS)) return null;
  const highlight = CSS.highlights.get(name) ?? new Highlight();
  highlight.priority = priority;
  CSS.highlights.set(name, highlight);
  return highlight;
}
