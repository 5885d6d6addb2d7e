/** Which URLs the agent connects to. Pure. */
import { isLoopback } from '../../backend/contract/loopback.ts';
import { parseUrl } from '../../backend/contract/parse-url.ts';

/** What is wrong with a server address, or `null`. Plain http is for this machine only. */
export function serverUrlFault(value: string): string | null {
  const url = parseUrl(value);
  if (!url) return 'is not a URL';
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url))) {
    return 'must be https:// (http:// only for a server on this machine)';
  }
  if (url.username || url.password) return 'must not contain a user name or password';
  return null;
}

/**
 * Why a package cannot be fetched from this URL, or `null`.
 * @param from the URL that redirected here
 */
export function packageUrlFault(
  value: string,
  allowInsecureLoopback: boolean,
  from?: URL,
): string | null {
  const url = parseUrl(value, from);
  if (!url) return 'the package URL is invalid';
  if (url.protocol !== 'https:') {
    if (url.protocol !== 'http:') return `packages cannot be fetched by ${url.protocol}`;
    if (from?.protocol === 'https:') return 'redirected from https to http, which is refused';
    if (!isLoopback(url)) return 'the package URL is not https';
    if (!allowInsecureLoopback) {
      return 'the package URL is not https (download.allow_insecure_loopback is off)';
    }
  }
  return null;
}
