/** A terminal tells the whole group, and npm passes it on once more: that is one request, not two. */
const ONE_REQUEST_MS = 1_000;

export interface Interrupts {
  /** Somebody wants the program to end. */
  asked: Promise<NodeJS.Signals>;
  /** Somebody wants it to end at once. */
  insisted: Promise<void>;
}

/** Takes SIGINT and SIGTERM from now on; neither ends the process by itself any more. */
export function takeInterrupts(): Interrupts {
  let since: number | null = null;
  let ask: (signal: NodeJS.Signals) => void = () => undefined;
  let insist: () => void = () => undefined;
  const asked = new Promise<NodeJS.Signals>((resolve) => (ask = resolve));
  const insisted = new Promise<void>((resolve) => (insist = resolve));
  const onSignal = (name: NodeJS.Signals): void => {
    since ??= performance.now();
    if (performance.now() - since > ONE_REQUEST_MS) insist();
    ask(name);
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  return { asked, insisted };
}
