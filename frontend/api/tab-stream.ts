import { streamUrl } from './http.ts';

/**
 * One event stream for all tabs of the page in a browser. A browser opens six connections to a server over
 * HTTP/1.1, and a stream each would leave none for the seventh tab, nor for anything a tab asks.
 *
 * Tabs queue for a Web Lock; the one that has it opens the stream, for what any of them watches, and passes
 * on what it hears by a BroadcastChannel. When it goes, the next takes over. Where a browser has no Web Locks
 * (they need HTTPS), each tab opens its own.
 */

/** What a view watches; the devices of no deployment, or of one. */
export interface Watched {
  /** Whether every deployment is of interest, or only the detailed one. */
  everything: boolean;
  detailed: string | null;
}

export interface StreamListener {
  /** @param isOld it was open before this view came, which may have missed something */
  onOpen(isOld: boolean): void;
  /** @param final the browser does not try again by itself */
  onError(final: boolean): void;
  /** @param data as JSON */
  onEvent(name: StreamEventName, data: string): void;
}

export interface TabStream {
  /** Opens a new stream where the last one has ended, or has fallen silent. */
  reopen(): void;
  close(): void;
}

const EVENT_NAMES = ['deployment', 'progress', 'device', 'reset', 'heartbeat'] as const;
export type StreamEventName = (typeof EVENT_NAMES)[number];

type Message =
  /** The leader is new, and asks what is watched. */
  | { kind: 'who' }
  /** `null`: nothing any more. */
  | { kind: 'watch'; tab: string; watched: Watched | null }
  | { kind: 'reopen' }
  /** Whether the leader still does anything. */
  | { kind: 'ping' }
  | { kind: 'pong' }
  /** `to`: for one tab only. */
  | { kind: 'opened'; to?: string }
  | { kind: 'failed'; final: boolean }
  | { kind: 'event'; name: StreamEventName; data: string };

const NAME = 'ota-event-stream';
/** How long a new leader waits to hear what the other tabs watch, and for views that change. */
const GATHER_MS = 60;
/** A leader that does not answer stands still (its tab is frozen), and is replaced. */
const PONG_MS = 2_000;

/** At most one at a time in a tab: its view. */
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
  const left = new AbortController();
  /** Of all tabs; kept by the leader. */
  let watches: Map<string, Watched> | null = null;
  let source: EventSource | null = null;
  /** What it has, at least. */
  let covered: Coverage = NOTHING;
  let gathering: ReturnType<typeof setTimeout> | undefined;
  let pinging: ReturnType<typeof setTimeout> | undefined;
  let resign: () => void = () => undefined;

  const post = (message: Message): void => channel.postMessage(message);
  const watch = (): void => post({ kind: 'watch', tab, watched });

  function campaign(options: LockOptions): void {
    navigator.locks
      .request(NAME, options, () => {
        if (left.signal.aborted) return undefined;
        return new Promise<void>((resolve) => {
          resign = resolve;
          lead();
        });
      })
      .catch(() => {
        // Another tab has taken the lock from one that seemed to stand still, or this one has left.
        stopLeading();
        if (!left.signal.aborted) campaign({ signal: left.signal });
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
      // Several tabs ask for it at once.
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

  const forget = (): void => post({ kind: 'watch', tab, watched: null });

  function close(): void {
    window.removeEventListener('pagehide', forget);
    window.removeEventListener('pageshow', watch);
    clearTimeout(pinging);
    stopLeading();
    forget();
    left.abort();
    resign();
    channel.close();
  }

  window.addEventListener('pagehide', forget);
  window.addEventListener('pageshow', watch);
  campaign({ signal: left.signal });
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
  // Streams are of one deployment, or of all.
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
