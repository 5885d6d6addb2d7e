/** A LIKE pattern that matches `text` anywhere; wildcards in `text` are escaped. */
export function likePattern(text: string): string {
  return `%${escapeWildcards(text)}%`;
}

/** A LIKE pattern that matches what begins with `text`. */
export function prefixPattern(text: string): string {
  return `${escapeWildcards(text)}%`;
}

function escapeWildcards(text: string): string {
  return text.replaceAll(/[\\%_]/g, String.raw`\$&`);
}
