import type { CookieOptions, Request } from 'express';

const MAX_VALUE = 4_096;

/**
 * The value of a cookie as it was sent, or `null` if there is none or it could be no value that a server set. The first
 * of several with the same name counts: browsers send the one with the longest path first.
 */
export function cookieValue(request: Request, name: string): string | null {
  for (const pair of (request.get('cookie') ?? '').split(';')) {
    const separator = pair.indexOf('=');
    if (separator < 0 || pair.slice(0, separator).trim() !== name) continue;
    // Python's cookies quote values with characters such as "=".
    const value = pair
      .slice(separator + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1');
    return value.length <= MAX_VALUE && /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+$/.test(value)
      ? value
      : null;
  }
  return null;
}

/** Options of the server's own cookies. */
export function cookieOptions(publicUrl: URL, basePath: string): CookieOptions {
  return {
    httpOnly: true,
    // Not "strict": after sign-in, the browser comes from the provider's site.
    sameSite: 'lax',
    secure: publicUrl.protocol === 'https:',
    path: basePath === '' ? '/' : basePath,
  };
}
