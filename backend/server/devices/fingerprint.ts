const DIGITS = 16;

/** Identifies a token to people, without revealing it. @param tokenHash hexadecimal */
export function fingerprint(tokenHash: string): string {
  return tokenHash.slice(0, DIGITS);
}
