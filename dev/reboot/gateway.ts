/**
 * What stands between the device and Ops-Center: HTTPS, because agents use plain HTTP only on their own
 * machine. It also serves the packages.
 */
import { once } from 'node:events';
import { request } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';

import express from 'express';

import type { Certificate } from './certificate.ts';

/** Address of this machine in QEMU's user network. */
export const HOST_ADDRESS = '10.0.2.2';

export interface Gateway {
  /** As the device sees it. */
  url: string;
  close(): Promise<void>;
}

/**
 * @param packages folder that is served below `/packages`
 * @param target URL of the host, to which everything else goes
 */
export async function startGateway(
  { key, certificate }: Certificate,
  packages: string,
  target: string,
): Promise<Gateway> {
  const application = express()
    .use('/packages', express.static(packages))
    .use((incoming, outgoing) => {
      const { method, headers, originalUrl } = incoming;
      const forwarded = request(new URL(originalUrl, target), { method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      forwarded.on('error', () => outgoing.destroy());
      // A device whose power is cut closes no request.
      outgoing.on('close', () => forwarded.destroy());
      incoming.pipe(forwarded);
    });
  const server = createServer({ key, cert: certificate }, application).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://${HOST_ADDRESS}:${port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
