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
