import type { Request } from 'express';

export const SESSION_COOKIE = 'ops_session';

/** The session token from the cookie, or `null`. */
export function sessionToken(request: Request): string | null {
  for (const pair of (request.get('cookie') ?? '').split(';')) {
    const [name, value] = pair.trim().split('=', 2);
    if (name === SESSION_COOKIE && value) return value;
  }
  return null;
}
