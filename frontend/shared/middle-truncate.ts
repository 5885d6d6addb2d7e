/** User-perceived characters: an emoji, or a letter with its accents, is one. */
const characters = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
/** Characters kept at the end, where names in a fleet differ, as in `gateway-berlin-hall-3-line-00017`. */
const TAIL = 8;

/** Splits a name into a head that may be truncated and a tail that must stay visible. */
export function splitName(name: string): { head: string; tail: string } {
  const parts = Array.from(characters.segment(name), ({ index }) => index);
  const kept = Math.min(TAIL, Math.floor(parts.length / 2));
  const at = kept === 0 ? name.length : (parts[parts.length - kept] ?? name.length);
  return { head: name.slice(0, at), tail: name.slice(at) };
}
