import type { NavigationPage } from '../../backend/host-contract.ts';

/** The pages plugins brought, in the order they came. */
export class NavigationPages {
  readonly #pages = new Map<string, NavigationPage>();

  /** @throws when the id or the path is taken */
  add(page: NavigationPage): () => void {
    for (const other of this.#pages.values()) {
      if (other.id === page.id || other.path === page.path) {
        throw new Error(`Page "${page.id}" at ${page.path} is already there (${other.title}).`);
      }
    }
    this.#pages.set(page.id, page);
    return () => {
      if (this.#pages.get(page.id) === page) this.#pages.delete(page.id);
    };
  }

  list(): NavigationPage[] {
    return [...this.#pages.values()];
  }

  find(id: string): NavigationPage | undefined {
    return this.#pages.get(id);
  }
}
