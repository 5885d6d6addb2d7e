import type { IncomingMessage, ServerResponse } from 'node:http';

import type { PreRouterHandler } from '../../host-contract.ts';
import type { ActiveRequests } from './active-requests.ts';

/** Runs plugin handlers for requests below a prefix, before Express. */
export class PreRouter {
  readonly #handlers = new Set<{ handler: PreRouterHandler }>();

  /** @param prefix e.g. `/api/v1/ota` */
  constructor(private readonly prefix: string) {}

  /** Handlers run in the order they were added. Returns a function that removes this one. */
  add(handler: PreRouterHandler): () => void {
    const entry = { handler };
    this.#handlers.add(entry);
    return () => {
      this.#handlers.delete(entry);
    };
  }

  /** Returns whether a handler took the request. A stopping host leaves requests to Express, which rejects them. */
  handle(request: IncomingMessage, response: ServerResponse, active: ActiveRequests): boolean {
    const url = request.url ?? '';
    if (this.#handlers.size === 0 || active.isDraining || !url.startsWith(this.prefix)) {
      return false;
    }
    const path = url.slice(this.prefix.length);
    for (const { handler } of this.#handlers) {
      if (!handler(path, request, response)) continue;
      active.add(response);
      return true;
    }
    return false;
  }
}
