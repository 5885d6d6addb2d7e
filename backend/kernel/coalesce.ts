import DataLoader from 'dataloader';

export interface CoalesceOptions {
  maxBatchSize: number;
  /** Batches that may run at the same time; what arrives meanwhile waits for the next one. */
  maxInFlight: number;
  /** Told the size of every batch. */
  onBatch?: (size: number) => void;
}

/**
 * Turns single calls that arrive together into one call with all of them: a round trip to the
 * database costs more than the rows it carries. Nothing is remembered between batches, so nothing
 * goes stale. `handle` answers in the order of its inputs, an `Error` for an input that failed alone;
 * when it rejects, every call of the batch rejects.
 */
export function coalesce<Input, Output>(
  handle: (inputs: readonly Input[]) => Promise<readonly (Output | Error)[]>,
  options: CoalesceOptions,
): (input: Input) => Promise<Output> {
  const waiting: (() => void)[] = [];
  // Counted from when a batch is given its turn, not from when it starts: more calls than one batch
  // holds may arrive at once.
  let inFlight = 0;
  const loader = new DataLoader<Input, Output>(
    async (inputs) => {
      options.onBatch?.(inputs.length);
      try {
        return await handle(inputs);
      } finally {
        const next = waiting.shift();
        if (next) next();
        else inFlight -= 1;
      }
    },
    {
      cache: false,
      maxBatchSize: options.maxBatchSize,
      batchScheduleFn: (dispatch) => {
        if (inFlight < options.maxInFlight) {
          inFlight += 1;
          setImmediate(dispatch);
        } else {
          waiting.push(dispatch);
        }
      },
    },
  );
  return (input) => loader.load(input);
}

export interface LaneOptions<Input> {
  /** Calls of one lane share a batch, and its batches run one after the other. */
  laneOf: (input: Input) => string;
  /** Lanes whose batches may run at the same time; the others wait, and gather what arrives meanwhile. */
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
 * Like {@link coalesce}, with calls that hold each other up kept apart from those that do not. Lanes get
 * their turn in the order in which they began to wait.
 */
export function coalesceInLanes<Input, Output>(
  handle: (inputs: readonly Input[]) => Promise<readonly (Output | Error)[]>,
  options: LaneOptions<Input>,
): (input: Input) => Promise<Output> {
  /** In the order of their turns; a lane at work is in it again only when calls wait for it. */
  const waiting = new Map<string, Call<Input, Output>[]>();
  const atWork = new Set<string>();
  let isScheduled = false;

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    // What arrives in the same turn of the event loop goes together.
    setImmediate(() => {
      isScheduled = false;
      for (const lane of [...waiting.keys()]) {
        if (atWork.size >= options.maxLanes) return;
        if (!atWork.has(lane)) void work(lane);
      }
    });
  }

  async function work(lane: string): Promise<void> {
    const calls = waiting.get(lane) ?? [];
    const batch = calls.splice(0, options.maxBatchSize);
    waiting.delete(lane);
    // What is left goes to the end of the line.
    if (calls.length > 0) waiting.set(lane, calls);
    atWork.add(lane);
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
      atWork.delete(lane);
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
