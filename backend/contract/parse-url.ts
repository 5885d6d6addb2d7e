/**
 * The address a text stands for; `null`: for none. Not `URL.canParse`: on Node.js 20, once its callers
 * have run often enough to be optimized, it refuses addresses with letters like ü.
 */
export function parseUrl(text: string, base?: URL | string): URL | null {
  try {
    return new URL(text, base);
  } catch {
    return null;
  }
}
