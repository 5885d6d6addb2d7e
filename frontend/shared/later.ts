import { onScopeDispose } from 'vue';

export interface Later {
  (): void;
  /** Forgets a call that is still to come. */
  cancel(): void;
}

/** Calls `action` once, `wait` ms after the last of several calls; never after the view is gone. */
export function useLater(action: () => void, wait: number): Later {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const cancel = () => clearTimeout(timer);
  const later = () => {
    cancel();
    timer = setTimeout(action, wait);
  };
  onScopeDispose(cancel);
  return Object.assign(later, { cancel });
}
