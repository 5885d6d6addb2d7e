import { hash, randomBytes } from 'node:crypto';

/** 256 random bits as base64url, after a prefix that shows what the token is for. */
export function newToken(prefix: string): string {
  return `${prefix}_${randomBytes(32).toString('base64url')}`;
}

/**
 * The stored form of a token. Tokens are long and random, so a plain hash is enough. Looking a token up by
 * its hash leaks nothing about it through timing.
 */
export function tokenHash(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}

/** The token from an `Authorization: Bearer` header, or `null`. */
export function bearerToken(header: string | undefined): string | null {
  return /^Bearer +([^\s]+) *$/i.exec(header ?? '')?.[1] ?? null;
}
