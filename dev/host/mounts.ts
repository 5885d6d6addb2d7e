import type { RequestHandler, Router } from 'express';

/**
 * A place in the host's application where routers come and go. Express cannot take a router off
 * again, so the application gets this one handler, which asks the routers mounted at the moment.
 */
export class MountPoint {
  readonly #routers = new Set<{ router: Router }>();

  /** Routers are asked in the order they were mounted. Returns what takes this one off again. */
  mount(router: Router): () => void {
    const entry = { router };
    this.#routers.add(entry);
    return () => {
      this.#routers.delete(entry);
    };
  }

  readonly handler: RequestHandler = (request, response, next) => {
    const entries = [...this.#routers];
    const ask = (index: number): void => {
      const entry = entries[index];
      if (!entry) {
        next();
        return;
      }
      entry.router(request, response, (outcome?: unknown) => {
        if (outcome) next(outcome);
        else ask(index + 1);
      });
    };
    ask(0);
  };
}
