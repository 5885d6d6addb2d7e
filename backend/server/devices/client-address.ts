import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

import proxyAddr from 'proxy-addr';

const MAPPED_IPV4 = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i;

/**
 * Returns a function that finds the address of a client. `X-Forwarded-For` is only believed as far as it was
 * written by trusted proxies.
 *
 * @param trustedProxies addresses, subnets and names as for Express's `trust proxy`
 * @throws TypeError if an entry is not valid
 */
export function clientAddressFinder(
  trustedProxies: readonly string[],
): (request: IncomingMessage) => string | null {
  const trusts = proxyAddr.compile([...trustedProxies]);
  return (request) => {
    const peer = request.socket.remoteAddress;
    // The client is gone.
    if (peer === undefined) return null;
    const found = proxyAddr(request, trusts);
    // A proxy may forward what a client wrote, which can be any text.
    return (isIP(found) ? found : peer).replace(MAPPED_IPV4, '');
  };
}
