import { streamUrl } from './http.ts';

/**
 * One event stream for all tabs of the page in a browser. Over HTTP/1.1, a browser opens only six connections to
 * a server; one stream per tab would soon leave none for requests.
 *
 * Tabs queue for a Web Lock. The tab that holds it, the leader, opens the stream for everything that any tab
 * watches, and forwards its events over a BroadcastChannel. When the leader closes, the next tab takes over. Without
 * Web Locks (they need HTTPS), each tab opens its own stream.
 */

/** What a view watches. */
export interface Watched {
  /** All deployments, without their devices. */
  everything: boolean;
  /** Id of the deployment that is watched with its devices. */
  detailed: string | null;
}

export interface StreamListener {
  /** @param isOld the stream was open before this view subscribed, which may have missed events */
  onOpen(isOld: boolean): void;
  /** @param final the browser will not reconnect */
  onError(final: boolean): void;
  /** @param data as JSON */
  onEvent(name: StreamEventName, data: string): void;
}

export interface TabStream {
  /** Opens a new stream after the last one has failed or gone silent. */
  reopen(): void;
  close(): void;
}

const EVENT_NAMES = ['deployment', 'progress', 'device', 'reset', 'heartbeat'] as const;
export type StreamEventName = (typeof EVENT_NAMES)[number];

type Message =
  /** From a new leader: asks every tab what it watches. */
  | { kind: 'who' }
  /** `null`: the tab no longer watches anything. */
  | { kind: 'watch'; tab: string; watched: Watched | null }
  | { kind: 'reopen' }
  /** Checks whether the leader still responds. */
  | { kind: 'ping' }
  | { kind: 'pong' }
  /** With `to`, only for that tab. */
  | { kind: 'opened'; to?: string }
  | { kind: 'failed'; final: boolean }
  | { kind: 'event'; name: StreamEventName; data: string };

const NAME = 'ota-event-stream';
/** How long a leader collects what tabs watch before it opens a stream. */
const GATHER_MS = 60;
/** A leader that does not respond in this time (its tab is frozen) is replaced. */
const PONG_MS = 2_000;

/** Subscribes the tab's view to the shared stream. At most one subscription per tab at a time. */
export function openTabStream(watched: Watched, listener: StreamListener): TabStream {
  const canShare = 'locks' in navigator && 'BroadcastChannel' in window;
  return canShare ? joinTabs(watched, listener) : openAlone(watched, listener);
}

function openAlone(watched: Watched, listener: StreamListener): TabStream {
  const path = pathFor(coverageOf([watched]));
  let source = openSource(path, listener);
  return {
    reopen() {
      source.close();
      source = openSource(path, listener);
    },
    close: () => source.close(),
  };
}

function joinTabs(watched: Watched, listener: StreamListener): TabStream {
  const tab = crypto.randomUUID();
  const channel = new BroadcastChannel(NAME);
  const closing = new AbortController();
  /** What each tab watches; `null` unless this tab is the leader. */
  let watches: Map<string, Watched> | null = null;
  let source: EventSource | null = null;
  /** What the open stream covers. */
  let covered: Coverage = NOTHING;
  let gathering: ReturnType<typeof setTimeout> | undefined;
  let pinging: ReturnType<typeof setTimeout> | undefined;
  let resign: () => void = () => undefined;

  const post = (message: Message): void => channel.postMessage(message);
  const watch = (): void => post({ kind: 'watch', tab, watched });

  function campaign(options: LockOptions): void {
    navigator.locks
      .request(NAME, options, () => {
        if (closing.signal.aborted) return undefined;
        return new Promise<void>((resolve) => {
          resign = resolve;
          lead();
        });
      })
      .catch(() => {
        // Another tab stole the lock because this one did not respond, or this tab is closing.
        stopLeading();
        if (!closing.signal.aborted) campaign({ signal: closing.signal });
      });
  }

  function lead(): void {
    watches = new Map([[tab, watched]]);
    post({ kind: 'who' });
    openSoon();
  }

  function stopLeading(): void {
    clearTimeout(gathering);
    source?.close();
    source = null;
    covered = NOTHING;
    watches = null;
  }

  function openSoon(): void {
    clearTimeout(gathering);
    gathering = setTimeout(() => {
      if (!watches) return;
      covered = coverageOf([...watches.values()]);
      open();
    }, GATHER_MS);
  }

  function open(): void {
    source?.close();
    source = openSource(pathFor(covered), {
      onOpen() {
        listener.onOpen(false);
        post({ kind: 'opened' });
      },
      onError(final) {
        listener.onError(final);
        post({ kind: 'failed', final });
      },
      onEvent(name, data) {
        listener.onEvent(name, data);
        post({ kind: 'event', name, data });
      },
    });
  }

  function onWatch(from: string, what: Watched | null): void {
    if (!watches) return;
    if (what) watches.set(from, what);
    else watches.delete(from);
    if (what && !covers(covered, what)) openSoon();
    else if (what && source?.readyState === EventSource.OPEN) post({ kind: 'opened', to: from });
  }

  function reopen(): void {
    if (watches) {
      // Several tabs may request this at once.
      if (source?.readyState !== EventSource.CONNECTING) openSoon();
      return;
    }
    post({ kind: 'reopen' });
    post({ kind: 'ping' });
    clearTimeout(pinging);
    pinging = setTimeout(() => campaign({ steal: true }), PONG_MS);
  }

  channel.onmessage = ({ data: message }: MessageEvent<Message>) => {
    switch (message.kind) {
      case 'who':
        watch();
        break;
      case 'watch':
        onWatch(message.tab, message.watched);
        break;
      case 'reopen':
        if (watches && source?.readyState === EventSource.CLOSED) openSoon();
        break;
      case 'ping':
        if (watches) post({ kind: 'pong' });
        break;
      case 'pong':
        clearTimeout(pinging);
        break;
      case 'opened':
        if (message.to === undefined) listener.onOpen(false);
        else if (message.to === tab) listener.onOpen(true);
        break;
      case 'failed':
        listener.onError(message.final);
        break;
      case 'event':
        listener.onEvent(message.name, message.data);
        break;
    }
  };

  const unwatch = (): void => post({ kind: 'watch', tab, watched: null });

  function close(): void {
    window.removeEventListener('pagehide', unwatch);
    window.removeEventListener('pageshow', watch);
    clearTimeout(pinging);
    stopLeading();
    unwatch();
    closing.abort();
    resign();
    channel.close();
  }

  window.addEventListener('pagehide', unwatch);
  window.addEventListener('pageshow', watch);
  campaign({ signal: closing.signal });
  watch();
  return { reopen, close };
}

function openSource(path: string, { onOpen, onError, onEvent }: StreamListener): EventSource {
  const source = new EventSource(streamUrl(path));
  source.addEventListener('open', () => onOpen(false));
  source.addEventListener('error', () => onError(source.readyState === EventSource.CLOSED));
  for (const name of EVENT_NAMES) {
    source.addEventListener(name, ({ data }: MessageEvent<string>) => onEvent(name, data));
  }
  return source;
}

interface Coverage {
  everything: boolean;
  detailed: readonly string[];
}

const NOTHING: Coverage = { everything: false, detailed: [] };

function coverageOf(all: Watched[]): Coverage {
  const detailed = [...new Set(all.flatMap((one) => one.detailed ?? []))].sort();
  // The server has streams of one deployment and of all, but none of several.
  return { everything: detailed.length !== 1 || all.some((one) => one.everything), detailed };
}

function covers({ everything, detailed }: Coverage, watched: Watched): boolean {
  if (watched.everything && !everything) return false;
  return watched.detailed === null || detailed.includes(watched.detailed);
}

function pathFor({ everything, detailed }: Coverage): string {
  const [only] = detailed;
  if (only !== undefined && !everything) return `/deployments/${encodeURIComponent(only)}/stream`;
  return only === undefined ? '/stream' : `/stream?detail=${detailed.join(',')}`;
}
