import { expect } from 'chai';
import express from 'express';
import knex from 'knex';
import { pino } from 'pino';
import supertest from 'supertest';

import { problemHandler, HostProblem } from '../../../dev/host/problem.ts';

describe('problems of the host', () => {
  const log: string[] = [];
  const logger = pino({}, { write: (line) => void log.push(line) });

  async function answerTo(error: Error): Promise<supertest.Response> {
    const app = express()
      .use(() => {
        throw error;
      })
      .use(problemHandler(logger));
    return supertest(app).get('/');
  }

  beforeEach(() => (log.length = 0));

  it('are told in the standard form', async () => {
    const faults = [{ path: 'device_name', message: 'is required' }];
    const answer = await answerTo(new HostProblem('invalid_request', 'No name.', faults));
    expect(answer.status).to.equal(400);
    expect(answer.type).to.equal('application/problem+json');
    expect(answer.body).to.deep.equal({
      type: 'about:blank',
      title: 'The request is not valid',
      status: 400,
      detail: 'No name.',
      code: 'invalid_request',
      errors: faults,
    });
  });

  it('that nobody foresaw say nothing of the inside, which the log does', async () => {
    const answer = await answerTo(new Error('SELECT secret FROM /etc/host'));
    expect(answer.status).to.equal(500);
    expect(answer.text).not.to.include('secret').and.not.include('/etc');
    expect(log.join('')).to.include('SELECT secret FROM /etc/host');
  });

  for (const error of [
    Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }),
    Object.assign(new Error('terminating connection'), { code: '57P01' }),
    Object.assign(new Error('connection failure'), { code: '08006' }),
    new knex.KnexTimeoutError('no connection became free'),
  ]) {
    it(`ask to come again while the database is away (${error.message})`, async () => {
      const answer = await answerTo(error);
      expect(answer.status).to.equal(503);
      expect(answer.headers['retry-after']).to.equal('5');
      expect(answer.body).to.include({ code: 'unavailable' });
    });
  }

  it('of the database itself are not taken for its absence', async () => {
    const answer = await answerTo(Object.assign(new Error('duplicate'), { code: '23505' }));
    expect(answer.status).to.equal(500);
  });
});
