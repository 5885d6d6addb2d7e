import type { NavigationPage } from '../../host-contract.ts';

/** The pages that plugins added, in that order. */
export class NavigationPages {
  readonly #pages = new Map<string, NavigationPage>();

  /**
   * Returns a function that removes the page.
   *
   * @throws Error if the id or the path is taken
   */
  add(page: NavigationPage): () => void {
    for (const other of this.#pages.values()) {
      if (other.id === page.id || other.path === page.path) {
        throw new Error(
          `Page "${page.id}" at ${page.path} conflicts with the page "${other.title}".`,
        );
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
