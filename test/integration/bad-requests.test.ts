import { expect } from 'chai';
import type { Response } from 'supertest';

import { PROBLEMS, type Problem } from '../../backend/contract/problem.ts';
import {
  ADMIN_API,
  DEVICE_API,
  deploymentRequest,
  createFleet,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

describe('an invalid request', () => {
  let ota: OtaServer;
  let fleet: Fleet;
  let id: string;

  before(async () => {
    ota = await startOta();
    fleet = await createFleet(ota, 1);
    id = await fleet.rollOut();
  });

  after(() => ota.close());

  function expectProblem(answer: Response, code: keyof typeof PROBLEMS): Problem {
    const problem = answer.body as Problem;
    expect(answer.headers['content-type']).to.match(/^application\/problem\+json/);
    expect(problem.code, JSON.stringify(problem)).to.equal(code);
    expect(answer.status).to.equal(PROBLEMS[code].status);
    expect(problem.status).to.equal(answer.status);
    expect(problem.title).to.equal(PROBLEMS[code].title);
    expect(problem.type).to.be.a('string').and.not.equal('');
    expect(problem.detail).to.be.a('string').and.not.equal('');
    expect(JSON.stringify(problem)).not.to.match(/node_modules|\.ts\b|\bat .*:\d+|SELECT|UPDATE/);
    return problem;
  }

  const raw = (path: string, type: string, body: string) =>
    fleet.host.as(fleet.admin).post(`${ADMIN_API}${path}`).set('Content-Type', type).send(body);

  const rawReport = (type: string, body: string) =>
    fleet.host
      .as(fleet.device)
      .post(`${DEVICE_API}/deployments/${id}/status?device_id=${fleet.device.id}`)
      .set('Content-Type', type)
      .send(body);

  for (const [what, body] of Object.entries({
    truncated: '{"deployment_name": ',
    'not JSON': 'deployment_name=x',
    'a bare string': '"text"',
    'a bare number': '7',
    null: 'null',
  })) {
    it(`F57 gets a 400 if its body is ${what}`, async () => {
      expectProblem(await raw('/deployments', 'application/json', body), 'invalid_request');
      expectProblem(await rawReport('application/json', body), 'invalid_request');
    });
  }

  it('F57 gets a 400 if its body is an array', async () => {
    expectProblem(await raw('/deployments', 'application/json', '[]'), 'invalid_request');
    expectProblem(await rawReport('application/json', '[]'), 'invalid_request');
  });

  it('F57 gets a 400 that lists the missing fields if it has no body', async () => {
    const answer = await fleet.host.as(fleet.admin).post(`${ADMIN_API}/deployments`);
    const { errors } = expectProblem(answer, 'invalid_request');
    expect(errors?.map((fault) => fault.path)).to.include.members([
      'deployment_name',
      'target_version',
      'rollout_strategy',
      'update_package_url',
      'checksum',
    ]);
  });

  it('F57 gets a 415 and changes nothing if its body has another media type', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/xml']) {
      expectProblem(
        await raw('/deployments', type, JSON.stringify(deploymentRequest())),
        'unsupported_media_type',
      );
      expectProblem(await raw(`/deployments/${id}/cancel`, type, '{}'), 'unsupported_media_type');
      expectProblem(await rawReport(type, '{"status":"failed"}'), 'unsupported_media_type');
    }
    expect((await fleet.detail(id)).status).to.equal('in_progress');
  });

  it('F57 gets a 413 if its body is too large', async () => {
    const large = JSON.stringify({ ...deploymentRequest(), release_notes: 'x'.repeat(1_100_000) });
    expectProblem(await raw('/deployments', 'application/json', large), 'payload_too_large');
    const report = JSON.stringify({ status: 'failed', error_message: 'x'.repeat(70_000) });
    expectProblem(await rawReport('application/json', report), 'payload_too_large');
    expect((await fleet.target(id, fleet.device)).status).to.equal('pending');
  });

  it('F57 gets a 400 for a deeply nested known field, and a 200 for an unknown one in a report', async () => {
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    expectProblem(
      await raw('/deployments', 'application/json', `{"deployment_name": ${deep}}`),
      'invalid_request',
    );
    expectProblem(await rawReport('application/json', `{"status": ${deep}}`), 'invalid_request');
    const extra = await rawReport('application/json', `{"status": "downloading", "more": ${deep}}`);
    expect(extra.status).to.equal(200);
  });

  it('F59 cannot set fields through __proto__', async () => {
    const other = ota.host.otherOrganizationId;
    const smuggled = `{"__proto__": {"organization_id": "${other}", "status": "completed"},`;
    const body = JSON.stringify(deploymentRequest()).replace('{', smuggled);
    const answer = await raw('/deployments', 'application/json', body);
    expect(answer.status).to.be.oneOf([201, 400]);
    expect({}).not.to.have.property('status');
    const rows = await ota
      .knex('ota_deployments')
      .whereNot({ organization_id: fleet.organizationId });
    expect(rows).to.deep.equal([]);
    expect(await ota.knex('ota_deployments').where({ status: 'completed' })).to.deep.equal([]);
  });

  it('F57 gets a 400 for an unknown field in the body of an action', async () => {
    for (const action of ['start', 'pause', 'resume', 'cancel', 'expand', 'retry']) {
      const answer = await fleet.post(`/deployments/${id}/${action}`, { force: true });
      const { errors } = expectProblem(answer, 'invalid_request');
      expect(errors?.[0]?.path).to.equal('force');
    }
    expect((await fleet.detail(id)).status).to.equal('in_progress');
  });

  for (const report of [
    { status: 'done' },
    { status: 'pending' },
    {},
    { status: ['completed'] },
    { status: 'completed', attempt: 0 },
    { status: 'completed', attempt: 'one' },
    { status: 'completed', attempt: 1.5 },
    { status: 'downloading', progress: 101 },
    { status: 'downloading', progress: -1 },
    { status: 'failed', error_message: { a: 1 } },
  ]) {
    it(`F57 gets a 400 for the report ${JSON.stringify(report)}`, async () => {
      expectProblem(await rawReport('application/json', JSON.stringify(report)), 'invalid_request');
    });
  }

  it('gets a 404 for an unknown path and a 405 for a wrong method', async () => {
    expectProblem(await fleet.get('/nothing'), 'not_found');
    expectProblem(await fleet.post(`/deployments/${id}/explode`), 'not_found');
    expectProblem(
      await fleet.host.as(fleet.admin).delete(`${ADMIN_API}/deployments/${id}`),
      'method_not_allowed',
    );
    const device = await fleet.host.as(fleet.device).get(`${DEVICE_API}/deployments`);
    expectProblem(device, 'not_found');
  });

  it('F57 gets a 400 for a path that cannot be decoded', async () => {
    expectProblem(await fleet.get('/deployments/%E0%A4%A'), 'invalid_request');
  });

  it('gets a 500 without stack, SQL or paths if the server fails', async () => {
    await ota.knex.raw('ALTER TABLE ota_events RENAME TO ota_events_away');
    try {
      const answer = await fleet.get(`/deployments/${id}/events`);
      const problem = expectProblem(answer, 'internal_error');
      expect(JSON.stringify(problem)).not.to.match(/ota_events|relation|select|stack/i);
    } finally {
      await ota.knex.raw('ALTER TABLE ota_events_away RENAME TO ota_events');
    }
    await fleet.events(id);
  });
});
