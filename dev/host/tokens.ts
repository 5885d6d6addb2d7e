import { hash, randomBytes } from 'node:crypto';

/** 256 random bits as text; `prefix` tells people what they are looking at. */
export function newToken(prefix: string): string {
  return `${prefix}_${randomBytes(32).toString('base64url')}`;
}

/**
 * What is stored of a token. A plain hash is enough, since tokens are random and long; and because
 * tokens are found by their hash, the time a look-up takes tells nothing about the token.
 */
export function tokenHash(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}

/** The token of an `Authorization: Bearer` header, or `null`. */
export function bearerToken(header: string | undefined): string | null {
  return /^Bearer +([^\s]+) *$/i.exec(header ?? '')?.[1] ?? null;
}
