import DataLoader from 'dataloader';

export interface CoalesceOptions {
  maxBatchSize: number;
  /** Batches that may run at the same time; calls that arrive meanwhile wait for the next batch. */
  maxInFlight: number;
  /**
   * Batches start at least this many milliseconds apart, so that under load more calls share a batch. A call that
   * arrives after a pause does not wait. Default 0.
   */
  minIntervalMs?: number;
  /** Called with the size of every batch. */
  onBatch?: (size: number) => void;
}

/**
 * Combines calls that arrive together into one batch, because a database round trip costs more than the rows in it
 * (docs/decisions/coalescing.md). Nothing is cached between batches. `handle` returns one output per input, in the
 * same order: an `Error` rejects only that call. If `handle` rejects, every call of the batch rejects.
 */
export function coalesce<Input, Output>(
  handle: (inputs: readonly Input[]) => Promise<readonly (Output | Error)[]>,
  options: CoalesceOptions,
): (input: Input) => Promise<Output> {
  const waiting: (() => void)[] = [];
  // Counted when a batch is scheduled, not when it starts: calls for more than one batch may arrive at once.
  let inFlight = 0;
  const startSpaced = spaced(options.minIntervalMs ?? 0);
  const loader = new DataLoader<Input, Output>(
    async (inputs) => {
      options.onBatch?.(inputs.length);
      try {
        return await handle(inputs);
      } finally {
        const next = waiting.shift();
        if (next) startSpaced(next);
        else inFlight -= 1;
      }
    },
    {
      cache: false,
      maxBatchSize: options.maxBatchSize,
      batchScheduleFn: (dispatch) => {
        if (inFlight < options.maxInFlight) {
          inFlight += 1;
          startSpaced(dispatch);
        } else {
          waiting.push(dispatch);
        }
      },
    },
  );
  return (input) => loader.load(input);
}

/** Returns a function that calls `start` in a later turn of the event loop, with the interval between two starts. */
function spaced(intervalMs: number): (start: () => void) => void {
  let earliest = -Infinity;
  return (start) => {
    const now = performance.now();
    const waitMs = earliest - now;
    earliest = Math.max(earliest, now) + intervalMs;
    if (waitMs > 0) setTimeout(start, waitMs);
    else setImmediate(start);
  };
}

export interface LaneOptions<Input> {
  /** Calls of one lane share batches, which run one after the other. */
  laneOf: (input: Input) => string;
  /** Lanes whose batches may run at the same time; the others wait and collect calls meanwhile. */
  maxLanes: number;
  maxBatchSize: number;
  onBatch?: (size: number) => void;
}

interface Call<Input, Output> {
  input: Input;
  resolve: (output: Output) => void;
  reject: (error: unknown) => void;
}

/**
 * Like {@link coalesce}, but a batch contains calls of one lane only, so a slow lane does not delay the others. Lanes
 * run in the order in which they started to wait.
 */
export function coalesceInLanes<Input, Output>(
  handle: (inputs: readonly Input[]) => Promise<readonly (Output | Error)[]>,
  options: LaneOptions<Input>,
): (input: Input) => Promise<Output> {
  /** Waiting calls by lane, in the order in which the lanes run. */
  const waiting = new Map<string, Call<Input, Output>[]>();
  const running = new Set<string>();
  let isScheduled = false;

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    // Calls of the same event loop turn go into the same batch.
    setImmediate(() => {
      isScheduled = false;
      for (const lane of [...waiting.keys()]) {
        if (running.size >= options.maxLanes) return;
        if (!running.has(lane)) void run(lane);
      }
    });
  }

  async function run(lane: string): Promise<void> {
    const calls = waiting.get(lane) ?? [];
    const batch = calls.splice(0, options.maxBatchSize);
    waiting.delete(lane);
    // Calls that did not fit go to the end of the queue.
    if (calls.length > 0) waiting.set(lane, calls);
    running.add(lane);
    options.onBatch?.(batch.length);
    try {
      const outputs = await handle(batch.map(({ input }) => input));
      batch.forEach(({ resolve, reject }, index) => {
        const output = outputs[index];
        if (output instanceof Error) reject(output);
        else resolve(output as Output);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    } finally {
      running.delete(lane);
      if (waiting.size > 0) schedule();
    }
  }

  return (input) =>
    new Promise((resolve, reject) => {
      const lane = options.laneOf(input);
      const calls = waiting.get(lane) ?? [];
      calls.push({ input, resolve, reject });
      waiting.set(lane, calls);
      schedule();
    });
}
