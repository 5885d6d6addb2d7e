import { ref, type Ref } from 'vue';
import type { StreamEvent } from '../../backend/contract/admin-api.ts';
import { toApiError } from './api-error.ts';
import { openTabStream, type StreamEventName, type TabStream, type Watched } from './tab-stream.ts';

/**
 * `live`: changes arrive over the stream. `stale`: the stream is open, but not even heartbeats arrive.
 * `polling`: the stream is down, and the page polls every few seconds instead. `lost`: polling fails, too, and
 * the shown data may be out of date.
 */
export type LiveState = 'connecting' | 'live' | 'stale' | 'polling' | 'lost';

/** Stream events that change deployments or devices. */
export type ChangeEvent = Exclude<StreamEvent, { type: 'reset' | 'heartbeat' }>;

export interface LiveUpdates {
  state: Ref<LiveState>;
  /** When the shown data was last known to be current; `null` before the first time. */
  freshAt: Ref<Date | null>;
  /** Call after the view has fetched everything itself. */
  markFresh(): void;
  close(): void;
}

export interface LiveUpdatesOptions {
  watched: Watched;
  /** Receives all changes of one animation frame, in order. */
  onEvents(events: ChangeEvent[]): void;
  /** Fetches everything again: after missed events, and repeatedly while polling. Rejects if that fails. */
  refresh(): Promise<void>;
}

const POLL_MS = 5_000;
/** When to start polling if the stream has not opened, since a proxy may buffer it. */
const OPEN_TIMEOUT_MS = 4_000;
/** The server sends a heartbeat every 15 seconds; this allows for one that is missing. */
const SILENCE_MS = 35_000;
const REOPEN_MS = [1_000, 2_000, 5_000, 10_000, 15_000];
/** A hidden tab closes its stream after this time. */
const HIDDEN_MS = 10_000;

/**
 * Keeps a view up to date by the event stream that all tabs share, or by polling while there is none. The
 * browser reconnects with `Last-Event-ID`. When it gives up (a response other than 200), a new stream is opened;
 * it cannot replay missed events, so everything is fetched again.
 */
export function openLiveUpdates(options: LiveUpdatesOptions): LiveUpdates {
  const state = ref<LiveState>('connecting');
  const freshAt = ref<Date | null>(null);
  let stream: TabStream | null = null;
  /** The browser has stopped reconnecting, or the stream is silent. */
  let isDown = false;
  /** Events may have been missed: fetch everything once the next stream is open. */
  let hasMissed = false;
  /** The browser reconnects and resumes from the last event, so none are missed. */
  let resumes = false;
  let failures = 0;
  let closed = false;
  let pollTimer: ReturnType<typeof setTimeout> | undefined;
  let reopenTimer: ReturnType<typeof setTimeout> | undefined;
  let frame = 0;
  let pending: ChangeEvent[] = [];
  let silenceTimer: ReturnType<typeof setTimeout> | undefined;
  let hiddenTimer: ReturnType<typeof setTimeout> | undefined;

  const openTimer = setTimeout(() => {
    if (state.value === 'connecting') startPolling();
  }, OPEN_TIMEOUT_MS);

  function markFresh(): void {
    freshAt.value = new Date();
  }

  /** The stream is alive: the shown data is current, and the timeout for the next message starts. */
  function onAlive(): void {
    markFresh();
    restartSilenceTimer();
  }

  function restartSilenceTimer(): void {
    clearTimeout(silenceTimer);
    if (!closed) silenceTimer = setTimeout(onSilence, SILENCE_MS);
  }

  /** A connection can be dead without being closed: the server hangs, or the network is cut. */
  function onSilence(): void {
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
      // Without a session, retrying is pointless until the user has signed in again.
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
    const events = pending;
    pending = [];
    if (!closed && events.length > 0) options.onEvents(events);
  }

  function onOpen(isOld: boolean): void {
    isDown = false;
    failures = 0;
    stopPolling();
    state.value = 'live';
    onAlive();
    if (isOld || (hasMissed && !resumes)) void refresh();
    // Events between this stream and the next one are missed, whichever tab opens it.
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
    onAlive();
    if (name === 'heartbeat') return;
    const event = { type: name, ...JSON.parse(data) } as Exclude<
      StreamEvent,
      { type: 'heartbeat' }
    >;
    const { everything, detailed } = options.watched;
    const isRelevant = event.deployment_id === detailed || event.deployment_id === null;
    if (!isRelevant && !(everything && event.type !== 'device')) return;
    if (event.type === 'reset') {
      void refresh();
      return;
    }
    pending.push(event);
    // A hidden tab gets no animation frames, so events would pile up.
    if (document.hidden) deliver();
    else if (frame === 0) frame = requestAnimationFrame(deliver);
  }

  function open(): void {
    stream = openTabStream(options.watched, { onOpen, onError, onEvent });
    restartSilenceTimer();
  }

  function reopen(): void {
    restartSilenceTimer();
    if (stream) stream.reopen();
    else open();
  }

  function onReachable(): void {
    if (!isDown) return;
    clearTimeout(reopenTimer);
    reopen();
  }

  /** A hidden tab closes its stream, and fetches what it has missed when it becomes visible. */
  function onVisibility(): void {
    clearTimeout(hiddenTimer);
    if (document.hidden) hiddenTimer = setTimeout(disconnect, HIDDEN_MS);
    else if (!stream) {
      hasMissed = true;
      open();
    }
  }

  function disconnect(): void {
    stream?.close();
    stream = null;
    stopPolling();
    clearTimeout(reopenTimer);
    clearTimeout(silenceTimer);
  }

  function close(): void {
    closed = true;
    disconnect();
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
