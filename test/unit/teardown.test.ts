import { expect } from 'chai';
import { pino } from 'pino';

import { Teardown } from '../../backend/kernel/teardown.ts';

const logger = pino({ level: 'silent' });

describe('a teardown', () => {
  it('runs its steps once and in reverse, even if some fail', async () => {
    const undone: string[] = [];
    const teardown = new Teardown(logger);
    teardown.add('first', () => undone.push('first'));
    teardown.add('second', () => {
      throw new Error('stuck');
    });
    teardown.add('third', () => Promise.reject(new Error('stuck, too')));
    teardown.add('fourth', () => undone.push('fourth'));
    await teardown.run();
    await teardown.run();
    expect(undone).to.deep.equal(['fourth', 'first']);
  });

  it('that is started twice at the same time runs once', async () => {
    const order: string[] = [];
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const teardown = new Teardown(logger);
    teardown.add('queue', () => order.push('queue closed'));
    teardown.add('workers', async () => {
      await held;
      order.push('workers closed');
    });
    const runs = [teardown.run(), teardown.run()].map((run) => run.then(() => order.push('over')));
    await new Promise((go) => setImmediate(go));
    expect(order).to.deep.equal([]);
    release();
    await Promise.all(runs);
    expect(order).to.deep.equal(['workers closed', 'queue closed', 'over', 'over']);
  });

  it('that runs again runs the steps added since', async () => {
    const undone: string[] = [];
    const teardown = new Teardown(logger);
    await teardown.run();
    teardown.add('late', () => undone.push('late'));
    await teardown.run();
    expect(undone).to.deep.equal(['late']);
  });
});
