import { ref, shallowRef, type Ref, type ShallowRef } from 'vue';
import { toApiError, type ApiError } from './api-error.ts';

export interface LatestRequest {
  loading: Ref<boolean>;
  /** Why the last request failed; `null` once one has succeeded. */
  error: ShallowRef<ApiError | null>;
  /**
   * Sends the request and passes its response to `onSuccess`, unless a newer one has started by then. Never rejects.
   */
  run: Run;
  /**
   * Like `run`, for callers that have to know the outcome.
   *
   * @throws {ApiError} if the request fails and no newer one has started
   */
  runOrThrow: Run;
  /** Aborts the pending request, if any; neither its response nor its error is used. */
  abort(): void;
}

type Run = <T>(
  send: (signal: AbortSignal) => Promise<T>,
  onSuccess: (response: T) => void,
) => Promise<void>;

/** Requests of which only the latest counts: each one aborts the one before. */
export function useLatestRequest(): LatestRequest {
  const loading = ref(false);
  const error = shallowRef<ApiError | null>(null);
  let current: AbortController | null = null;

  function abort(): void {
    current?.abort();
    current = null;
    loading.value = false;
  }

  const runOrThrow: Run = async (send, onSuccess) => {
    abort();
    const controller = (current = new AbortController());
    loading.value = true;
    try {
      const response = await send(controller.signal);
      if (current !== controller) return;
      onSuccess(response);
      error.value = null;
    } catch (cause) {
      if (current !== controller) return;
      error.value = toApiError(cause);
      throw error.value;
    } finally {
      if (current === controller) loading.value = false;
    }
  };

  const run: Run = (send, onSuccess) => runOrThrow(send, onSuccess).catch(() => undefined);

  return { loading, error, run, runOrThrow, abort };
}
