import type { IncomingMessage, ServerResponse } from 'node:http';

import type { AheadListener } from '../../backend/host-contract.ts';
import type { ActiveRequests } from './active-requests.ts';

/** Where plugins answer requests below a prefix before Express sees them. */
export class AheadPoint {
  readonly #listeners = new Set<{ listener: AheadListener }>();

  /** @param prefix e.g. `/api/v1/ota` */
  constructor(private readonly prefix: string) {}

  /** Listeners are asked in the order they came. Returns what takes this one off again. */
  add(listener: AheadListener): () => void {
    const entry = { listener };
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  /** Whether a listener took the request; a host that is stopping leaves it to Express to refuse. */
  take(request: IncomingMessage, response: ServerResponse, active: ActiveRequests): boolean {
    const url = request.url ?? '';
    if (this.#listeners.size === 0 || active.isDraining || !url.startsWith(this.prefix)) {
      return false;
    }
    const path = url.slice(this.prefix.length);
    for (const { listener } of this.#listeners) {
      if (!listener(path, request, response)) continue;
      active.add(response);
      return true;
    }
    return false;
  }
}
