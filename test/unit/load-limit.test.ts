import { expect } from 'chai';

import { LoadLimit } from '../../backend/api/load-limit.ts';
import { DomainError } from '../../backend/kernel/errors.ts';

describe('the limit of what a server takes on', () => {
  const POLL_INTERVAL = 300;

  function limitOf(maxPolls: number, pollIntervalSeconds = POLL_INTERVAL): LoadLimit {
    return new LoadLimit({ maxPolls, pollIntervalSeconds });
  }

  function refusal(limit: LoadLimit, kind: 'poll' | 'report'): DomainError {
    try {
      limit.acquire(kind);
    } catch (error) {
      if (error instanceof DomainError) return error;
    }
    throw new Error('was taken on');
  }

  it('is kept for polls, and takes another one as soon as one is through', () => {
    const limit = limitOf(2);
    limit.acquire('poll');
    limit.acquire('poll');
    expect(refusal(limit, 'poll').code).to.equal('overloaded');
    limit.release('poll');
    limit.acquire('poll');
  });

  it('G03 leaves room for reports where polls find none, and the other way around', () => {
    const limit = limitOf(2);
    limit.acquire('poll');
    limit.acquire('poll');
    limit.acquire('report');
    limit.acquire('report');
    expect(refusal(limit, 'report').code).to.equal('overloaded');
    limit.release('poll');
    expect(refusal(limit, 'report').code).to.equal('overloaded');
    limit.acquire('poll');
    limit.release('report');
    limit.acquire('report');
  });

  it('spreads refused polls over a poll interval, and asks for reports sooner', () => {
    const limit = limitOf(1);
    limit.acquire('report');
    limit.acquire('poll');
    const waits = (kind: 'poll' | 'report') =>
      Array.from({ length: 2_000 }, () => refusal(limit, kind).retryAfterSeconds ?? 0);
    const polls = waits('poll');
    expect(Math.min(...polls)).to.be.within(10, 20);
    expect(Math.max(...polls)).to.be.within(POLL_INTERVAL - 10, POLL_INTERVAL);
    expect(polls.filter((wait) => wait < POLL_INTERVAL / 2).length).to.be.within(800, 1_200);
    const reports = waits('report');
    expect([Math.min(...reports), Math.max(...reports)]).to.deep.equal([6, 30]);
  });

  it('asks for refused polls within the interval also where that is short', () => {
    const limit = limitOf(1, 4);
    limit.acquire('poll');
    expect(refusal(limit, 'poll').retryAfterSeconds).to.equal(4);
  });
});
