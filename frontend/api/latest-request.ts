import { ref, shallowRef, type Ref, type ShallowRef } from 'vue';
import { toApiError, type ApiError } from './api-error.ts';

export interface LatestRequest {
  loading: Ref<boolean>;
  /** Why the last request failed; `null` once one was answered. */
  error: ShallowRef<ApiError | null>;
  /** Asks, and gives the answer to `take` unless a newer request has begun by then. Never rejects. */
  run<T>(ask: (signal: AbortSignal) => Promise<T>, take: (answer: T) => void): Promise<void>;
  /** Nothing is waited for any more. */
  abort(): void;
}

/** One request after the other, of which the latest counts: it aborts the one before. */
export function useLatestRequest(): LatestRequest {
  const loading = ref(false);
  const error = shallowRef<ApiError | null>(null);
  let running: AbortController | null = null;

  function abort(): void {
    running?.abort();
    running = null;
    loading.value = false;
  }

  async function run<T>(
    ask: (signal: AbortSignal) => Promise<T>,
    take: (answer: T) => void,
  ): Promise<void> {
    abort();
    const controller = (running = new AbortController());
    loading.value = true;
    try {
      const answer = await ask(controller.signal);
      if (running !== controller) return;
      take(answer);
      error.value = null;
    } catch (cause) {
      if (running === controller) error.value = toApiError(cause);
    } finally {
      if (running === controller) loading.value = false;
    }
  }

  return { loading, error, run, abort };
}
