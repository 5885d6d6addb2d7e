import { ref, type Ref } from 'vue';
import type { StreamEvent } from '../../backend/contract/admin-api.ts';
import { toApiError } from './api-error.ts';
import { streamUrl } from './http.ts';

/**
 * `live`: changes arrive by themselves. `polling`: the stream is down, the page asks every few
 * seconds instead. `lost`: that fails, too; what is shown may be old.
 */
export type LiveState = 'connecting' | 'live' | 'polling' | 'lost';

export interface LiveUpdates {
  state: Ref<LiveState>;
  /** When the shown data was last known to be right; null before the first time. */
  freshAt: Ref<Date | null>;
  /** Tells that the page has just fetched everything itself. */
  markFresh(): void;
  close(): void;
}

export interface LiveUpdatesOptions {
  /** Path of the event stream below the API's base. */
  path: string;
  /** All events of one animation frame together, in order; `reset` is never among them. */
  onEvents(events: Exclude<StreamEvent, { type: 'reset' }>[]): void;
  /** Fetches everything anew: after missed events, and again and again while polling. */
  refresh(): Promise<void>;
}

const POLL_MS = 5_000;
/** A proxy that holds the stream back must not keep the page waiting. */
const OPEN_TIMEOUT_MS = 4_000;
const REOPEN_MS = [1_000, 2_000, 5_000, 10_000, 15_000];
const EVENT_NAMES = ['deployment', 'progress', 'device'] as const;

/**
 * Keeps a view up to date by the event stream, and by polling where there is none. The browser
 * reconnects by itself with `Last-Event-ID`; when it gives up (an answer other than 200) a new stream
 * is opened, which knows nothing of the past, so everything is fetched anew.
 */
export function openLiveUpdates(options: LiveUpdatesOptions): LiveUpdates {
  const state = ref<LiveState>('connecting');
  const freshAt = ref<Date | null>(null);
  let source: EventSource | null = null;
  let missedEvents = false;
  let failures = 0;
  let closed = false;
  let pollTimer: ReturnType<typeof setTimeout> | undefined;
  let reopenTimer: ReturnType<typeof setTimeout> | undefined;
  let frame = 0;
  let waiting: Exclude<StreamEvent, { type: 'reset' }>[] = [];

  const openTimer = setTimeout(() => {
    if (state.value === 'connecting') startPolling();
  }, OPEN_TIMEOUT_MS);

  function markFresh(): void {
    freshAt.value = new Date();
  }

  async function refresh(): Promise<boolean> {
    try {
      await options.refresh();
      markFresh();
      return true;
    } catch (error) {
      // Without a session nothing will get better until the user has signed in again.
      if (toApiError(error).kind === 'signed_out') close();
      return false;
    }
  }

  function startPolling(): void {
    if (closed || pollTimer !== undefined) return;
    state.value = state.value === 'lost' ? 'lost' : 'polling';
    const poll = async () => {
      const reached = await refresh();
      if (closed || state.value === 'live') return;
      state.value = reached ? 'polling' : 'lost';
      pollTimer = setTimeout(() => void poll(), POLL_MS);
    };
    pollTimer = setTimeout(() => void poll(), 0);
  }

  function stopPolling(): void {
    clearTimeout(pollTimer);
    pollTimer = undefined;
  }

  function deliver(): void {
    frame = 0;
    const events = waiting;
    waiting = [];
    if (!closed && events.length > 0) options.onEvents(events);
  }

  function open(): void {
    source = new EventSource(streamUrl(options.path));
    source.addEventListener('open', () => {
      failures = 0;
      stopPolling();
      state.value = 'live';
      markFresh();
      if (missedEvents) void refresh();
      missedEvents = false;
    });
    source.addEventListener('error', () => {
      if (closed) return;
      startPolling();
      if (source?.readyState !== EventSource.CLOSED) return;
      missedEvents = true;
      const wait = REOPEN_MS[Math.min(failures, REOPEN_MS.length - 1)];
      failures += 1;
      clearTimeout(reopenTimer);
      reopenTimer = setTimeout(open, wait);
    });
    source.addEventListener('reset', () => void refresh());
    for (const name of EVENT_NAMES) {
      source.addEventListener(name, (message: MessageEvent<string>) => {
        markFresh();
        waiting.push({ type: name, ...JSON.parse(message.data) });
        // A hidden tab gets no frames; it must not hoard what it misses.
        if (document.hidden) deliver();
        else if (frame === 0) frame = requestAnimationFrame(deliver);
      });
    }
  }

  function onReachable(): void {
    if (source?.readyState !== EventSource.CLOSED) return;
    clearTimeout(reopenTimer);
    open();
  }

  function close(): void {
    closed = true;
    stopPolling();
    clearTimeout(openTimer);
    clearTimeout(reopenTimer);
    cancelAnimationFrame(frame);
    window.removeEventListener('online', onReachable);
    source?.close();
  }

  window.addEventListener('online', onReachable);
  open();
  return { state, freshAt, markFresh, close };
}
