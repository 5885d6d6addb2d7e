/** Connections to servers, direct or through a proxy. They stay open for the requests of one exchange. */
import {
  type ClientRequest,
  Agent as HttpAgent,
  type IncomingMessage,
  request as requestHttp,
} from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';

/** The next poll is minutes away. */
const UNUSED_MS = 4_000;
const KEPT = { keepAlive: true, timeout: UNUSED_MS };

export interface ConnectionRules {
  /** `undefined`: that of Node, with its certificate authorities. */
  secureContext: SecureContext | undefined;
  /** For name resolution, connecting and the TLS handshake. */
  connectMs: number;
}

type Create = HttpAgent['createConnection'];
type CreateTls = HttpsAgent['createConnection'];

/** The connection could not be made; `code` as Node has it for the same fault. */
class ConnectError extends Error {
  constructor(
    message: string,
    readonly code: 'ETIMEDOUT' | 'ECONNREFUSED',
  ) {
    super(message);
  }
}

export class HttpConnections extends HttpAgent {
  constructor(private readonly rules: ConnectionRules) {
    super(KEPT);
  }

  override createConnection(...args: Parameters<Create>): ReturnType<Create> {
    const socket = super.createConnection(...args) as Socket;
    limitConnecting(socket, 'connect', this.rules.connectMs);
    return socket;
  }
}

export class HttpsConnections extends HttpsAgent {
  constructor(protected readonly rules: ConnectionRules) {
    super({ ...KEPT, secureContext: rules.secureContext });
  }

  override createConnection(...args: Parameters<CreateTls>): ReturnType<CreateTls> {
    const socket = super.createConnection(...args) as Socket;
    limitConnecting(socket, 'secureConnect', this.rules.connectMs);
    return socket;
  }
}

/** HTTPS through a proxy, which only sees host and port of the server. */
export class ProxiedHttpsConnections extends HttpsConnections {
  readonly #proxy: URL;
  readonly #opening = new Set<ClientRequest>();

  constructor(proxy: URL, rules: ConnectionRules) {
    super(rules);
    this.#proxy = proxy;
  }

  override createConnection(...args: Parameters<CreateTls>): ReturnType<CreateTls> {
    const [options, callback] = args;
    const startTls = (socket: Socket): Duplex => {
      const overTunnel = { ...options, socket };
      return super.createConnection(overTunnel) as Duplex;
    };
    this.#openTunnel(`${options.host}:${options.port}`).then(
      (socket) => callback?.(null, startTls(socket)),
      (error: Error) => callback?.(error, undefined as never),
    );
    return undefined;
  }

  override destroy(): void {
    for (const request of this.#opening) request.destroy();
    super.destroy();
  }

  #openTunnel(target: string): Promise<Socket> {
    const { protocol, hostname, port, username, password } = this.#proxy;
    const secrets = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    const secure = protocol === 'https:';
    const request = (secure ? requestHttps : requestHttp)({
      method: 'CONNECT',
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: port || (secure ? 443 : 80),
      path: target,
      headers: {
        host: target,
        ...(username &&
          password && {
            'proxy-authorization': `Basic ${Buffer.from(secrets).toString('base64')}`,
          }),
      },
      agent: false,
      ...(secure && { secureContext: this.rules.secureContext }),
    });
    this.#opening.add(request);
    const { connectMs } = this.rules;
    const timer = setTimeout(() => request.destroy(tooSlow(connectMs)), connectMs);
    return new Promise<Socket>((resolve, reject) => {
      request.on('error', reject);
      request.on('response', (answer: IncomingMessage) => {
        request.destroy();
        reject(refusal(answer));
      });
      request.on('connect', (answer: IncomingMessage, socket: Socket) => {
        if (answer.statusCode === 200) return resolve(socket);
        socket.destroy();
        reject(refusal(answer));
      });
      request.end();
    }).finally(() => {
      clearTimeout(timer);
      this.#opening.delete(request);
    });
  }
}

function limitConnecting(
  socket: Socket,
  connected: 'connect' | 'secureConnect',
  connectMs: number,
): void {
  const timer = setTimeout(() => socket.destroy(tooSlow(connectMs)), connectMs);
  for (const event of [connected, 'close']) socket.once(event, () => clearTimeout(timer));
}

function tooSlow(connectMs: number): ConnectError {
  return new ConnectError(`not connected within ${connectMs / 1000} seconds`, 'ETIMEDOUT');
}

function refusal({ statusCode }: IncomingMessage): ConnectError {
  return new ConnectError(`the proxy answered ${statusCode}`, 'ECONNREFUSED');
}
