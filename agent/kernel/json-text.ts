/** JSON that people wrote: editors on Windows add a byte order mark, which no parser accepts. */
export function parseJsonText(text: string): unknown {
  return JSON.parse(text.replace(/^\uFEFF/, ''));
}
