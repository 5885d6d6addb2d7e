/** Which addresses the agent talks to. Pure. */
import { isLoopback } from '../../backend/contract/loopback.ts';
import { parseUrl } from '../../backend/contract/parse-url.ts';

/** What is wrong with a server address, or `null`. Plain http never leaves the machine. */
export function serverUrlFault(value: string): string | null {
  const url = parseUrl(value);
  if (!url) return 'is not an address';
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url))) {
    return 'must be https:// (http:// only for a server on this machine)';
  }
  if (url.username || url.password) return 'must not carry a user name or password';
  return null;
}

/**
 * What is wrong with fetching a package from here, or `null`.
 * @param from the address that redirected here
 */
export function packageUrlFault(
  value: string,
  allowInsecureLoopback: boolean,
  from?: URL,
): string | null {
  const url = parseUrl(value, from);
  if (!url) return 'the package address cannot be read';
  if (url.protocol !== 'https:') {
    if (url.protocol !== 'http:') return `packages do not come by ${url.protocol}`;
    if (from?.protocol === 'https:') return 'redirected from https to http, which is refused';
    if (!isLoopback(url)) return 'the package address is not https';
    if (!allowInsecureLoopback) {
      return 'the package address is not https (download.allow_insecure_loopback is off)';
    }
  }
  return null;
}
