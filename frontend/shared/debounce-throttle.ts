import { onScopeDispose } from 'vue';

/** For typing: calls `action` once, `wait` ms after the last of several calls; never after the view is gone. */
export function useDebounced(action: () => void, wait: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  onScopeDispose(() => clearTimeout(timer));
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, wait);
  };
}

/**
 * For events: runs `action` within `wait` ms of a call, however many more follow, and not again before
 * it has ended; what was called for meanwhile is done in one more run. Never after the view is gone.
 */
export function useThrottled(action: () => Promise<unknown>, wait: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isRunning = false;
  let isWanted = false;
  let isGone = false;
  onScopeDispose(() => {
    isGone = true;
    clearTimeout(timer);
  });

  function call(): void {
    if (isRunning) isWanted = true;
    else timer ??= setTimeout(() => void run(), wait);
  }

  async function run(): Promise<void> {
    timer = undefined;
    isRunning = true;
    isWanted = false;
    try {
      await action();
    } catch {
      // Whoever loads shows what went wrong.
    } finally {
      isRunning = false;
      if (isWanted && !isGone) call();
    }
  }

  return call;
}
