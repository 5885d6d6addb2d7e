import type { ServerResponse } from 'node:http';

import type { RequestHandler } from 'express';

import { HostProblem } from './problem.ts';

/** Tracks active requests, so that a stopping host can wait for them. */
export class ActiveRequests {
  readonly #responses = new Set<ServerResponse>();
  #draining = false;
  #onChange: (() => void) | undefined;

  get isDraining(): boolean {
    return this.#draining;
  }

  /** Mount this before every other handler. */
  readonly handler: RequestHandler = (_request, response, next) => {
    if (this.#draining) {
      // Open connections still send requests; their clients have to reconnect and try again.
      response.set('Connection', 'close');
      throw new HostProblem('unavailable', 'The host is stopping.');
    }
    this.add(response);
    next();
  };

  /** Tracks the response until it is closed. */
  add(response: ServerResponse): void {
    this.#responses.add(response);
    response.once('close', () => {
      this.#responses.delete(response);
      this.#onChange?.();
    });
  }

  /** Rejects new requests and waits for the active ones, except event streams, which never end. */
  async drain(limitMs: number): Promise<void> {
    this.#draining = true;
    if (this.#isIdle()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.#onChange = () => {
        if (!this.#isIdle()) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #isIdle(): boolean {
    return [...this.#responses].every((response) =>
      String(response.getHeader('content-type')).startsWith('text/event-stream'),
    );
  }
}
