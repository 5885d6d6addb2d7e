/** Shows that the check that root-hooks.ts applies to every response can fail. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { expect } from 'chai';
import express, { type Response } from 'express';
import { pino } from 'pino';
import supertest from 'supertest';

import { PROBLEMS } from '../../backend/contract/problem.ts';
import { sendProblem } from '../../backend/http/problem.ts';
import { DomainError } from '../../backend/kernel/errors.ts';
import { takeUndocumented } from '../support/response-checks.ts';
import { ADMIN_API, DEVICE_API } from '../support/ota-server.ts';

function problem(response: Response, error: DomainError): void {
  sendProblem(error, {
    request: response.req,
    response,
    logger: pino({ level: 'silent' }),
    route: 'none',
  });
}

const VALID = { attempts: [] };
const PATH = `${ADMIN_API}/deployments/x/devices/y/logs`;

const INVALID: [what: string, message: string, send: (response: Response) => void][] = [
  ['a missing field', "required property 'attempts'", (response) => response.json({})],
  [
    'an extra field',
    'must NOT have additional properties',
    (response) => response.json({ ...VALID, secret: 1 }),
  ],
  [
    'a nested value of the wrong type',
    'body/attempts/0/bytes must be integer',
    (response) =>
      response.json({
        attempts: [{ attempt: 1, log: '', bytes: '7', updated_at: '2026-11-01T00:00:00.000Z' }],
      }),
  ],
  [
    'a malformed time',
    'must match format "date-time"',
    (response) =>
      response.json({ attempts: [{ attempt: 1, log: '', bytes: 7, updated_at: 'yesterday' }] }),
  ],
  ['a status that is not documented', 'status 201', (response) => response.status(201).json(VALID)],
  [
    'a media type that is not documented',
    'media type "text/html"',
    (response) => response.send('<h1>Logs</h1>'),
  ],
  [
    'a problem code of other routes',
    'status 422',
    (response) => problem(response, new DomainError('percentage_too_low', 'Too low.')),
  ],
  [
    'a problem with an extra field',
    'must NOT have additional properties',
    (response) =>
      problem(response, new DomainError('not_found', 'Gone.', { stack: 'at …' } as object)),
  ],
  [
    'a 503 without Retry-After',
    'the header Retry-After is missing',
    (response) => problem(response, new DomainError('database_unavailable', 'Unavailable.')),
  ],
];

describe('the check of responses against the OpenAPI document', () => {
  let server: Server;
  let respond: (response: Response) => void;
  const get = (path = PATH) =>
    supertest(`http://127.0.0.1:${(server.address() as AddressInfo).port}`).get(path);

  before(async () => {
    const app = express();
    app.get(`${ADMIN_API}/deployments/:id/devices/:device_id/logs`, (_request, response) =>
      respond(response),
    );
    app.get(`${ADMIN_API}/stream`, (_request, response) => respond(response));
    server = createServer(app).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(async () => {
    const closed = once(server, 'close');
    server.close();
    await closed;
  });

  for (const [what, message, send] of INVALID) {
    it(`rejects ${what}`, async () => {
      respond = send;
      const answer = await get();
      expect(takeUndocumented()).to.have.length(1);

      expect(answer.status).to.equal(500);
      expect(answer.text).to.include('Not as documented').and.include(message);
    });
  }

  it('rejects an invalid response that does not pass through Express', async () => {
    const bare = createServer((_request, response) => {
      response
        .writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 2 })
        .end('{}');
    }).listen(0, '127.0.0.1');
    await once(bare, 'listening');
    const { port } = bare.address() as AddressInfo;
    const answer = await supertest(`http://127.0.0.1:${port}`).get(`${DEVICE_API}/check-update`);
    bare.close();
    expect(takeUndocumented()).to.have.length(1);
    expect(answer.status).to.equal(500);
    expect(answer.text).to.include("required property 'update_available'");
  });

  it('rejects an invalid event in a stream', async () => {
    respond = (response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
      response.write('retry: 2000\n\n: still here\n\n');
      response.write('event: reset\ndata: {"deployment_id":null}\n\n');
      response.end('event: device\ndata: {"deployment_id":"x"}\n\n');
    };
    await get(`${ADMIN_API}/stream`);
    expect(takeUndocumented().join()).to.include('event "device"').and.include("property 'device'");
  });

  it('accepts valid responses and problems', async () => {
    respond = (response) => response.json(VALID);
    expect((await get()).body).to.deep.equal(VALID);
    respond = (response) => problem(response, new DomainError('not_found', 'Gone.'));
    expect((await get()).body).to.deep.include({ code: 'not_found', ...PROBLEMS.not_found });
    expect(takeUndocumented()).to.deep.equal([]);
  });
});
