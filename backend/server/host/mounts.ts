import type { RequestHandler, Router } from 'express';

/**
 * Mounts and unmounts routers at run time. Express cannot remove a router, so the application uses this
 * handler, which calls the routers that are currently mounted.
 */
export class MountPoint {
  readonly #routers = new Set<{ router: Router }>();

  /** Routers run in the order they were mounted. Returns a function that unmounts this one. */
  mount(router: Router): () => void {
    const entry = { router };
    this.#routers.add(entry);
    return () => {
      this.#routers.delete(entry);
    };
  }

  readonly handler: RequestHandler = (request, response, next) => {
    const entries = [...this.#routers];
    const run = (index: number): void => {
      const entry = entries[index];
      if (!entry) {
        next();
        return;
      }
      entry.router(request, response, (outcome?: unknown) => {
        if (outcome) next(outcome);
        else run(index + 1);
      });
    };
    run(0);
  };
}
