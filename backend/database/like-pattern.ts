/** A LIKE pattern that finds `text` anywhere, with its own wildcards taken literally. */
export function likePattern(text: string): string {
  return `%${escapeWildcards(text)}%`;
}

/** A LIKE pattern that finds what begins with `text`. */
export function prefixPattern(text: string): string {
  return `${escapeWildcards(text)}%`;
}

function escapeWildcards(text: string): string {
  return text.replaceAll(/[\\%_]/g, String.raw`\$&`);
}
