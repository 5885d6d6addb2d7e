import { ref, type Ref } from 'vue';
import type { StreamEvent } from '../../backend/contract/admin-api.ts';
import { toApiError } from './api-error.ts';
import { openTabStream, type StreamEventName, type TabStream, type Watched } from './tab-stream.ts';

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
  watched: Watched;
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
/** A tab that nobody looks at lets its stream go after this time. */
const HIDDEN_MS = 10_000;

/**
 * Keeps a view up to date by the event stream that all tabs share, and by polling where there is none. The
 * browser reconnects by itself with `Last-Event-ID`; when it gives up (an answer other than 200) a new
 * stream is opened, which knows nothing of the past, so everything is fetched anew.
 */
export function openLiveUpdates(options: LiveUpdatesOptions): LiveUpdates {
  const state = ref<LiveState>('connecting');
  const freshAt = ref<Date | null>(null);
  let stream: TabStream | null = null;
  /** The browser has given up, or the stream is silent. */
  let isDown = false;
  /** What the next stream does not tell has to be fetched. */
  let hasMissed = false;
  /** The browser goes on from the last event by itself. */
  let resumes = false;
  let failures = 0;
  let closed = false;
  let pollTimer: ReturnType<typeof setTimeout> | undefined;
  let reopenTimer: ReturnType<typeof setTimeout> | undefined;
  let frame = 0;
  let waiting: ChangeEvent[] = [];
  let silenceTimer: ReturnType<typeof setTimeout> | undefined;
  let hiddenTimer: ReturnType<typeof setTimeout> | undefined;

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
    isDown = true;
    if (state.value === 'live') state.value = 'stale';
    resumes = false;
    hasMissed = true;
    startPolling();
    scheduleReopen();
  }

  function scheduleReopen(): void {
    const wait = REOPEN_MS[Math.min(failures, REOPEN_MS.length - 1)];
    failures += 1;
    clearTimeout(reopenTimer);
    reopenTimer = setTimeout(reopen, wait);
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

  function onOpen(isOld: boolean): void {
    isDown = false;
    failures = 0;
    stopPolling();
    state.value = 'live';
    heard();
    if (isOld || (hasMissed && !resumes)) void refresh();
    // Whatever opens the next one, for whichever tab: what happens in between is not heard.
    hasMissed = true;
    resumes = false;
  }

  function onError(final: boolean): void {
    if (closed) return;
    clearTimeout(silenceTimer);
    resumes = !final && (resumes || state.value === 'live');
    hasMissed = true;
    startPolling();
    if (!final) return;
    isDown = true;
    scheduleReopen();
  }

  function onEvent(name: StreamEventName, data: string): void {
    heard();
    if (name === 'heartbeat') return;
    const event = { type: name, ...JSON.parse(data) } as Exclude<
      StreamEvent,
      { type: 'heartbeat' }
    >;
    const { everything, detailed } = options.watched;
    const concerns = event.deployment_id === detailed || event.deployment_id === null;
    if (!concerns && !(everything && event.type !== 'device')) return;
    if (event.type === 'reset') {
      void refresh();
      return;
    }
    waiting.push(event);
    // A hidden tab gets no frames; it must not hoard what it misses.
    if (document.hidden) deliver();
    else if (frame === 0) frame = requestAnimationFrame(deliver);
  }

  function open(): void {
    stream = openTabStream(options.watched, { onOpen, onError, onEvent });
    awaitNext();
  }

  function reopen(): void {
    awaitNext();
    if (stream) stream.reopen();
    else open();
  }

  function onReachable(): void {
    if (!isDown) return;
    clearTimeout(reopenTimer);
    reopen();
  }

  /** What happens behind a tab that nobody sees is fetched when somebody does. */
  function onVisibility(): void {
    clearTimeout(hiddenTimer);
    if (document.hidden) hiddenTimer = setTimeout(letGo, HIDDEN_MS);
    else if (!stream) {
      hasMissed = true;
      open();
    }
  }

  function letGo(): void {
    stream?.close();
    stream = null;
    stopPolling();
    clearTimeout(reopenTimer);
    clearTimeout(silenceTimer);
  }

  function close(): void {
    closed = true;
    letGo();
    clearTimeout(openTimer);
    clearTimeout(hiddenTimer);
    cancelAnimationFrame(frame);
    window.removeEventListener('online', onReachable);
    document.removeEventListener('visibilitychange', onVisibility);
  }

  window.addEventListener('online', onReachable);
  document.addEventListener('visibilitychange', onVisibility);
  open();
  return { state, freshAt, markFresh, close };
}
