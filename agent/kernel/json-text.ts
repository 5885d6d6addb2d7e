/** JSON that people wrote: editors of Windows put a byte order mark before it, which no parser takes. */
export function parseJsonText(text: string): unknown {
  return JSON.parse(text.replace(/^\uFEFF/, ''));
}
