import { onScopeDispose } from 'vue';

/** For typing: runs `action` once, `wait` ms after the last of several calls; never after the view is unmounted. */
export function useDebounced(action: () => void, wait: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  onScopeDispose(() => clearTimeout(timer));
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, wait);
  };
}

/**
 * For events: runs `action` within `wait` ms of a call, however many more follow. Calls during a run lead to one
 * more run after it. Never runs after the view is unmounted.
 */
export function useThrottled(action: () => Promise<unknown>, wait: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isRunning = false;
  let isQueued = false;
  let isUnmounted = false;
  onScopeDispose(() => {
    isUnmounted = true;
    clearTimeout(timer);
  });

  function call(): void {
    if (isRunning) isQueued = true;
    else timer ??= setTimeout(() => void run(), wait);
  }

  async function run(): Promise<void> {
    timer = undefined;
    isRunning = true;
    isQueued = false;
    try {
      await action();
    } catch {
      // The action shows its own errors.
    } finally {
      isRunning = false;
      if (isQueued && !isUnmounted) call();
    }
  }

  return call;
}
