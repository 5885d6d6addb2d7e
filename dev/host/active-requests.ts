import type { ServerResponse } from 'node:http';

import type { RequestHandler } from 'express';

import { HostProblem } from './problem.ts';

/** Knows the requests under way, so that a stopping host can finish them. */
export class ActiveRequests {
  readonly #responses = new Set<ServerResponse>();
  #draining = false;
  #onChange: (() => void) | undefined;

  get isDraining(): boolean {
    return this.#draining;
  }

  /** To stand before everything else. */
  readonly handler: RequestHandler = (_request, response, next) => {
    if (this.#draining) {
      // Connections that were open before still bring requests; their clients shall come again.
      response.set('Connection', 'close');
      throw new HostProblem('unavailable', 'The host is stopping.');
    }
    this.add(response);
    next();
  };

  /** From now until it is closed the response is under way. */
  add(response: ServerResponse): void {
    this.#responses.add(response);
    response.once('close', () => {
      this.#responses.delete(response);
      this.#onChange?.();
    });
  }

  /** Refuses new requests and waits for those under way; event streams, which never end, do not count. */
  async drain(limitMs: number): Promise<void> {
    this.#draining = true;
    if (this.#isQuiet()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.#onChange = () => {
        if (!this.#isQuiet()) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #isQuiet(): boolean {
    return [...this.#responses].every((response) =>
      String(response.getHeader('content-type')).startsWith('text/event-stream'),
    );
  }
}
