/** Characters as readers count them: an emoji or a letter with its accents is one. */
const characters = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
/** Where names of a fleet differ: hall and line are the same, the number at the end is not. */
const TAIL = 8;

/** Cuts a name into what may be shortened and what has to stay; together they are the name. */
export function splitName(name: string): { head: string; tail: string } {
  const parts = Array.from(characters.segment(name), ({ index }) => index);
  const kept = Math.min(TAIL, Math.floor(parts.length / 2));
  const at = kept === 0 ? name.length : (parts[parts.length - kept] ?? name.length);
  return { head: name.slice(0, at), tail: name.slice(at) };
}
