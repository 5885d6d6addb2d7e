import { expect } from 'chai';
import { pino } from 'pino';

import { Teardown } from '../../backend/kernel/teardown.ts';

const logger = pino({ level: 'silent' });

describe('teardown', () => {
  it('undoes in reverse, each step once, also past one that fails', async () => {
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

  it('asked twice at the same time waits for the one run, and keeps the order', async () => {
    const story: string[] = [];
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const teardown = new Teardown(logger);
    teardown.add('queue', () => story.push('queue closed'));
    teardown.add('workers', async () => {
      await held;
      story.push('workers closed');
    });
    const runs = [teardown.run(), teardown.run()].map((run) => run.then(() => story.push('over')));
    await new Promise((go) => setImmediate(go));
    expect(story).to.deep.equal([]);
    release();
    await Promise.all(runs);
    expect(story).to.deep.equal(['workers closed', 'queue closed', 'over', 'over']);
  });

  it('undoes what is added after it ran, when asked again', async () => {
    const undone: string[] = [];
    const teardown = new Teardown(logger);
    await teardown.run();
    teardown.add('late', () => undone.push('late'));
    await teardown.run();
    expect(undone).to.deep.equal(['late']);
  });
});
