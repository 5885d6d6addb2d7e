import { expect } from 'chai';
import fc from 'fast-check';

import { coalesce } from '../../backend/kernel/coalesce.ts';

/** A handler whose batches the test resolves or rejects. */
function controlled<Input>() {
  const batches: {
    inputs: readonly Input[];
    resolve(answers: unknown[]): void;
    reject(error: Error): void;
  }[] = [];
  const arrivals: (() => void)[] = [];
  return {
    batches,
    handle: (inputs: readonly Input[]) =>
      new Promise<readonly (string | Error)[]>((resolve, reject) => {
        batches.push({ inputs, resolve: resolve as never, reject });
        arrivals.shift()?.();
      }),
    /** Resolves when this many batches have started. */
    async started(count: number): Promise<void> {
      while (batches.length < count) await new Promise<void>((go) => arrivals.push(go));
    },
  };
}

/** Runs everything that is ready to run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((go) => setImmediate(go));
}

describe('coalesced calls', () => {
  it('that arrive together become one, each with its own result', async () => {
    const seen: (readonly number[])[] = [];
    const double = coalesce<number, number>(
      (inputs) => {
        seen.push(inputs);
        return Promise.resolve(inputs.map((input) => input * 2));
      },
      { maxBatchSize: 10, maxInFlight: 1 },
    );
    expect(await Promise.all([3, 1, 2].map(double))).to.deep.equal([6, 2, 4]);
    expect(seen).to.deep.equal([[3, 1, 2]]);
  });

  it('are not cached', async () => {
    let calls = 0;
    const count = coalesce<string, number>((inputs) => Promise.resolve(inputs.map(() => ++calls)), {
      maxBatchSize: 10,
      maxInFlight: 1,
    });
    expect(await Promise.all([count('same'), count('same')])).to.deep.equal([1, 2]);
    expect(await count('same')).to.equal(3);
  });

  it('can fail alone', async () => {
    const half = coalesce<number, number>(
      (inputs) => Promise.resolve(inputs.map((n) => (n % 2 ? new Error(`odd: ${n}`) : n / 2))),
      { maxBatchSize: 10, maxInFlight: 1 },
    );
    const [first, second, third] = await Promise.allSettled([4, 3, 2].map(half));
    expect(first).to.deep.equal({ status: 'fulfilled', value: 2 });
    expect(second).to.have.nested.property('reason.message', 'odd: 3');
    expect(third).to.deep.equal({ status: 'fulfilled', value: 1 });
  });

  it('fail together with their batch, but not with the next one', async () => {
    const { handle, batches, started } = controlled<number>();
    const call = coalesce<number, string>(handle, { maxBatchSize: 2, maxInFlight: 1 });
    const outcomes = Promise.allSettled([1, 2, 3].map(call));
    await started(1);
    batches[0]?.reject(new Error('the database is unavailable'));
    await started(2);
    batches[1]?.resolve(['three']);
    const [first, second, third] = await outcomes;
    expect(first).to.have.nested.property('reason.message', 'the database is unavailable');
    expect(second).to.have.nested.property('reason.message', 'the database is unavailable');
    expect(third).to.deep.equal({ status: 'fulfilled', value: 'three' });
  });

  it('fail if the handler throws synchronously or returns too few results', async () => {
    const options = { maxBatchSize: 10, maxInFlight: 1 };
    const throwing = coalesce<number, number>(() => {
      throw new Error('thrown');
    }, options);
    expect(await throwing(1).catch((error: Error) => error.message)).to.equal('thrown');
    expect(await throwing(1).catch((error: Error) => error.message)).to.equal('thrown');
    const incomplete = coalesce<number, number>(() => Promise.resolve([1]), options);
    const outcomes = await Promise.allSettled([incomplete(1), incomplete(2)]);
    expect(outcomes.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
  });

  it('wait while the maximum of batches is in flight, and then form one batch', async () => {
    const { handle, batches, started } = controlled<number>();
    const call = coalesce<number, string>(handle, { maxBatchSize: 100, maxInFlight: 1 });
    const answers = [call(1)];
    await started(1);
    for (const input of [2, 3, 4]) {
      answers.push(call(input));
      await settle();
    }
    expect(batches.map(({ inputs }) => inputs)).to.deep.equal([[1]]);
    batches[0]?.resolve(['one']);
    await started(2);
    expect(batches.map(({ inputs }) => inputs)).to.deep.equal([[1], [2, 3, 4]]);
    batches[1]?.resolve(['two', 'three', 'four']);
    expect(await Promise.all(answers)).to.deep.equal(['one', 'two', 'three', 'four']);
  });

  it('start at least the interval apart, and those that arrive meanwhile share a batch', async () => {
    const intervalMs = 40;
    const starts: { at: number; inputs: readonly number[] }[] = [];
    const call = coalesce<number, number>(
      (inputs) => {
        starts.push({ at: performance.now(), inputs });
        return Promise.resolve(inputs);
      },
      { maxBatchSize: 3, maxInFlight: 2, minIntervalMs: intervalMs },
    );
    await call(1);
    const answers = [call(2)];
    await settle();
    answers.push(call(3), call(4), call(5));
    expect(await Promise.all(answers)).to.deep.equal([2, 3, 4, 5]);
    expect(starts.map(({ inputs }) => inputs)).to.deep.equal([[1], [2, 3, 4], [5]]);
    const [first, second, third] = starts.map(({ at }) => at) as [number, number, number];
    // Timers have a resolution of 1 ms and may fire that much early.
    expect(second - first).to.be.at.least(intervalMs - 2);
    expect(third - second).to.be.at.least(intervalMs - 2);
  });

  it('do not wait for the interval after a pause', async () => {
    const call = coalesce<number, number>((inputs) => Promise.resolve(inputs), {
      maxBatchSize: 3,
      maxInFlight: 1,
      minIntervalMs: 3_600_000,
    });
    expect(await call(1)).to.equal(1);
  });

  it('never exceed the batch size or the batches in flight, and keep their order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 }),
        async (maxInFlight, maxBatchSize, bursts) => {
          let inFlight = 0;
          const order: number[] = [];
          const call = coalesce<number, number>(
            async (inputs) => {
              inFlight += 1;
              expect(inFlight).to.be.at.most(maxInFlight);
              expect(inputs.length).to.be.within(1, maxBatchSize);
              order.push(...inputs);
              await settle();
              inFlight -= 1;
              return inputs;
            },
            { maxBatchSize, maxInFlight },
          );
          const answers: Promise<number>[] = [];
          for (const burst of bursts) {
            for (let index = 0; index < burst; index += 1) answers.push(call(answers.length));
            await new Promise((go) => setImmediate(go));
          }
          const numbers = answers.map((_, index) => index);
          expect(await Promise.all(answers)).to.deep.equal(numbers);
          expect(order).to.deep.equal(numbers);
        },
      ),
    );
  });
});
