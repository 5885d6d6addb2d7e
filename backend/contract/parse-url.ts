/**
 * Parses a URL; `null` if it is not valid. `URL.canParse` cannot be used before: on Node.js 20 it rejects URLs with
 * letters like ü once its callers have been optimized.
 */
export function parseUrl(text: string, base?: URL | string): URL | null {
  try {
    return new URL(text, base);
  } catch {
    return null;
  }
}
