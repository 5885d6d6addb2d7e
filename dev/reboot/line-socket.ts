/** A Unix socket on which both sides send lines. */
import { EventEmitter, once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { waitFor } from '../wait-for.ts';

const CONNECT_LIMIT_MS = 20_000;

export class LineSocket extends EventEmitter<{ line: [string] }> {
  constructor(private readonly socket: Socket) {
    super();
    // The other side may end at any moment; whoever waits for a line notices that in another way.
    socket.on('error', () => undefined);
    createInterface({ input: socket }).on('line', (line) => this.emit('line', line));
  }

  send(line: string): void {
    this.socket.write(`${line}\n`);
  }
}

/** Connects as soon as the other side listens. */
export function connectLines(file: string): Promise<LineSocket> {
  return waitFor(
    async () => {
      const socket = createConnection(file);
      await once(socket, 'connect');
      return new LineSocket(socket);
    },
    { describe: `a program listens on ${path.basename(file)}`, timeout: CONNECT_LIMIT_MS },
  );
}
