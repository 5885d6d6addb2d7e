/**
 * Highlights matches with the CSS Custom Highlight API, without changing the DOM. Browsers without the API show no
 * highlights, but the page still scrolls to each match.
 */
import type { LogMatch } from './log-search.ts';

const MATCH = 'ota-log-match';
const CURRENT = 'ota-log-current';

/** Text nodes of an element, with the offset of each in the element's text. */
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

/** The node that contains an offset; `null` if the offset is beyond the text. */
function nodeAt({ starts, nodes }: TextMap, offset: number): { node: Text; start: number } | null {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] ?? Infinity) <= offset) low = middle;
    else high = middle - 1;
  }
  const node = nodes[low];
  const start = starts[low];
  if (!node || start === undefined || offset >= start + node.length) return null;
  return { node, start };
}

/** The highlights of one log. All logs share the two highlight names that the style sheet colors. */
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
