import { expect } from 'chai';
import express from 'express';
import knex from 'knex';
import { pino } from 'pino';
import supertest from 'supertest';

import { problemHandler, HostProblem } from '../../../backend/server/host/problem.ts';

describe('error responses of the host', () => {
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

  it('are problem documents', async () => {
    const errors = [{ path: 'device_name', message: 'is required' }];
    const answer = await answerTo(new HostProblem('invalid_request', 'No name.', errors));
    expect(answer.status).to.equal(400);
    expect(answer.type).to.equal('application/problem+json');
    expect(answer.body).to.deep.equal({
      type: 'about:blank',
      title: 'The request is not valid',
      status: 400,
      detail: 'No name.',
      code: 'invalid_request',
      errors,
    });
  });

  it('show no details of an unexpected error, which are only logged', async () => {
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
    it(`are a 503 with Retry-After if the database is unavailable (${error.message})`, async () => {
      const answer = await answerTo(error);
      expect(answer.status).to.equal(503);
      expect(answer.headers['retry-after']).to.equal('5');
      expect(answer.body).to.include({ code: 'unavailable' });
    });
  }

  it('are a 500 for other database errors', async () => {
    const answer = await answerTo(Object.assign(new Error('duplicate'), { code: '23505' }));
    expect(answer.status).to.equal(500);
  });
});
