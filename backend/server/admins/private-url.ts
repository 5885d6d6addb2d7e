import { isIP } from 'node:net';

/** Names that public DNS never resolves: of containers, and of local and cluster-internal zones. */
const PRIVATE_NAME = /^(?:[^.]+|.+\.(?:localhost|local|internal|svc|lan|home\.arpa))$/;
const PRIVATE_ADDRESS =
  /^(?:127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|::1$|f[cd][0-9a-f]{2}:)/;

/** Whether credentials may be sent there: by HTTPS, or by plain HTTP within a private network. */
export function isConfidential(url: URL): boolean {
  if (url.protocol === 'https:') return true;
  if (url.protocol !== 'http:') return false;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return isIP(host) === 0 ? PRIVATE_NAME.test(host) : PRIVATE_ADDRESS.test(host);
}
