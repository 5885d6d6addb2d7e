import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A proxy to the server whose connections can be cut, stalled and restored. */
export class CuttableProxy {
  readonly #target: { host: string; port: number };
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;
  #held = false;

  constructor(targetUrl: string) {
    const { hostname, port } = new URL(targetUrl);
    this.#target = { host: hostname, port: Number(port) };
  }

  get origin(): string {
    return `http://localhost:${this.#port}`;
  }

  /** Begins to listen; after a `cut` on the same port as before. */
  async mend(): Promise<void> {
    this.#server = createServer((socket) => this.#forward(socket));
    this.#server.listen(this.#port, 'localhost');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Ends every connection and refuses new ones. */
  async cut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Takes connections and requests from now on, but nothing gets through until `release`. */
  hold(): void {
    this.#held = true;
    for (const socket of this.#sockets) socket.pause();
  }

  release(): void {
    this.#held = false;
    for (const socket of this.#sockets) socket.resume();
  }

  #forward(socket: Socket): void {
    const upstream = connect(this.#target.port, this.#target.host);
    for (const end of [socket, upstream]) {
      this.#sockets.add(end);
      end.on('error', () => end.destroy());
    }
    socket.on('data', (chunk) => upstream.write(chunk));
    upstream.on('data', (chunk) => socket.write(chunk));
    socket.on('close', () => upstream.destroy());
    upstream.on('close', () => socket.destroy());
    for (const end of [socket, upstream]) {
      end.on('close', () => this.#sockets.delete(end));
      if (this.#held) end.pause();
    }
  }
}
