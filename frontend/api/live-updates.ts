import { ref, type Ref } from 'vue';
import type { StreamEvent } from '../../backend/contract/admin-api.ts';
import { toApiError } from './api-error.ts';
import { streamUrl } from './http.ts';

/**
 * `live`: changes arrive by themselves. `stale`: the stream is open and silent, not even heartbeats
 * arrive. `polling`: the stream is down, the page asks every few seconds instead. `lost`: that fails,
 * too; what is shown may be old.
 */
export type LiveState = 'connecting' | 'live' | 'stale' | 'polling' | 'lost';

/** What a stream reports of deployments and devices. */
export type ChangeEvent = Exclude<StreamEvent, { type: 'reset' | 'heartbeat' }>;

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
  /** All changes of one animation frame together, in order. */
  onEvents(events: ChangeEvent[]): void;
  /** Fetches everything anew: after missed events, and again and again while polling. */
  refresh(): Promise<void>;
}

const POLL_MS = 5_000;
/** A proxy that holds the stream back must not keep the page waiting. */
const OPEN_TIMEOUT_MS = 4_000;
/** The server sends a heartbeat every 15 seconds; two that are missing are no accident. */
const SILENCE_MS = 35_000;
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
  let waiting: ChangeEvent[] = [];
  let silenceTimer: ReturnType<typeof setTimeout> | undefined;

  const openTimer = setTimeout(() => {
    if (state.value === 'connecting') startPolling();
  }, OPEN_TIMEOUT_MS);

  function markFresh(): void {
    freshAt.value = new Date();
  }

  /** The stream has been heard: what is shown is right, and the wait for the next message begins. */
  function heard(): void {
    markFresh();
    awaitNext();
  }

  function awaitNext(): void {
    clearTimeout(silenceTimer);
    if (!closed) silenceTimer = setTimeout(doubt, SILENCE_MS);
  }

  /** A connection may be dead without an end: a server that stands still, a cut network. */
  function doubt(): void {
    source?.close();
    if (state.value === 'live') state.value = 'stale';
    missedEvents = true;
    startPolling();
    reopenLater();
  }

  function reopenLater(): void {
    const wait = REOPEN_MS[Math.min(failures, REOPEN_MS.length - 1)];
    failures += 1;
    clearTimeout(reopenTimer);
    reopenTimer = setTimeout(open, wait);
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
    if (state.value !== 'lost' && state.value !== 'stale') state.value = 'polling';
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
    awaitNext();
    source.addEventListener('open', () => {
      failures = 0;
      stopPolling();
      state.value = 'live';
      heard();
      if (missedEvents) void refresh();
      missedEvents = false;
    });
    source.addEventListener('error', () => {
      if (closed) return;
      clearTimeout(silenceTimer);
      startPolling();
      if (source?.readyState !== EventSource.CLOSED) return;
      missedEvents = true;
      reopenLater();
    });
    source.addEventListener('heartbeat', heard);
    source.addEventListener('reset', () => {
      heard();
      void refresh();
    });
    for (const name of EVENT_NAMES) {
      source.addEventListener(name, (message: MessageEvent<string>) => {
        heard();
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
    clearTimeout(silenceTimer);
    cancelAnimationFrame(frame);
    window.removeEventListener('online', onReachable);
    source?.close();
  }

  window.addEventListener('online', onReachable);
  open();
  return { state, freshAt, markFresh, close };
}
