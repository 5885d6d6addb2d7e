import { expect } from 'chai';

import { LoadLimit } from '../../backend/api/load-limit.ts';
import { DomainError } from '../../backend/kernel/errors.ts';

describe('the load limit of a server', () => {
  const POLL_INTERVAL = 300;

  function statementTimeoutOf(maxPolls: number, pollIntervalSeconds = POLL_INTERVAL): LoadLimit {
    return new LoadLimit({ maxPolls, pollIntervalSeconds });
  }

  function rejection(limit: LoadLimit, kind: 'poll' | 'report'): DomainError {
    try {
      limit.acquire(kind);
    } catch (error) {
      if (error instanceof DomainError) return error;
    }
    throw new Error('the request was admitted');
  }

  it('admits another poll as soon as one has finished', () => {
    const limit = statementTimeoutOf(2);
    limit.acquire('poll');
    limit.acquire('poll');
    expect(rejection(limit, 'poll').code).to.equal('overloaded');
    limit.release('poll');
    limit.acquire('poll');
  });

  it('G03 counts polls and reports separately', () => {
    const limit = statementTimeoutOf(2);
    limit.acquire('poll');
    limit.acquire('poll');
    limit.acquire('report');
    limit.acquire('report');
    expect(rejection(limit, 'report').code).to.equal('overloaded');
    limit.release('poll');
    expect(rejection(limit, 'report').code).to.equal('overloaded');
    limit.acquire('poll');
    limit.release('report');
    limit.acquire('report');
  });

  it('spreads the retries of rejected polls over a poll interval, and of reports over less', () => {
    const limit = statementTimeoutOf(1);
    limit.acquire('report');
    limit.acquire('poll');
    const waits = (kind: 'poll' | 'report') =>
      Array.from({ length: 2_000 }, () => rejection(limit, kind).retryAfterSeconds ?? 0);
    const polls = waits('poll');
    expect(Math.min(...polls)).to.be.within(10, 20);
    expect(Math.max(...polls)).to.be.within(POLL_INTERVAL - 10, POLL_INTERVAL);
    expect(polls.filter((wait) => wait < POLL_INTERVAL / 2).length).to.be.within(800, 1_200);
    const reports = waits('report');
    expect([Math.min(...reports), Math.max(...reports)]).to.deep.equal([6, 30]);
  });

  it('never spreads rejected polls over more than the interval', () => {
    const limit = statementTimeoutOf(1, 4);
    limit.acquire('poll');
    expect(rejection(limit, 'poll').retryAfterSeconds).to.equal(4);
  });
});
