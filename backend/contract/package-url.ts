import { isLoopback } from './loopback.ts';
import { parseUrl } from './parse-url.ts';

// Devices get the address as it was written. URL() corrects a missing host, backslashes and line breaks; some agents
// do not.
const UNPRINTABLE = /[\s\p{Cc}\p{Surrogate}]/u;
const ABSOLUTE = /^[a-z][a-z0-9+.-]*:\/\/[^/\\]/i;

/** Why an address cannot be a package URL, or `null` if it can (docs/contract.md, Admin API). Begins with "must". */
export function packageUrlError(text: string, allowInsecureLoopback: boolean): string | null {
  if (UNPRINTABLE.test(text)) return 'must not contain spaces or control characters';
  const url = ABSOLUTE.test(text) ? parseUrl(text) : null;
  if (!url) return 'must be an absolute URL';
  if (url.username || url.password) return 'must not contain a user name or password';
  if (url.protocol === 'https:') return null;
  if (url.protocol === 'http:' && allowInsecureLoopback && isLoopback(url)) return null;
  return 'must be an https:// URL, so that packages cannot be read or changed in transit';
}
