/** Where everything that is started registers how it is stopped; `dev/demo/cleanup.ts` is one. */
export interface CleanupSteps {
  add(step: () => Promise<void>): void;
}
