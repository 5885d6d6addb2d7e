/** Signals within this time are one request: a terminal signals the whole process group, and npm forwards it again. */
const ONE_REQUEST_MS = 1_000;

export interface Interrupts {
  /** Resolves with the first signal. */
  stopRequested: Promise<NodeJS.Signals>;
  /** Resolves with a second signal, at least a second after the first. */
  forceStopRequested: Promise<void>;
}

/** Handles SIGINT and SIGTERM from now on; they no longer end the process. */
export function catchInterrupts(): Interrupts {
  let firstAt: number | null = null;
  let requestStop: (signal: NodeJS.Signals) => void = () => undefined;
  let requestForceStop: () => void = () => undefined;
  const stopRequested = new Promise<NodeJS.Signals>((resolve) => (requestStop = resolve));
  const forceStopRequested = new Promise<void>((resolve) => (requestForceStop = resolve));
  const onSignal = (name: NodeJS.Signals): void => {
    firstAt ??= performance.now();
    if (performance.now() - firstAt > ONE_REQUEST_MS) requestForceStop();
    requestStop(name);
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  return { stopRequested, forceStopRequested };
}
