import { randomUUID } from 'node:crypto';

import { expect } from 'chai';
import type { Response } from 'supertest';

import type { CreatedDeployment } from '../../backend/contract/admin-api.ts';
import type { Problem } from '../../backend/contract/problem.ts';
import { KnexUnitOfWork, asKnex } from '../../backend/database/knex-unit-of-work.ts';
import { createPluginKnex } from '../../backend/database/plugin-knex.ts';
import {
  deploymentRequest,
  openFleet,
  openServer,
  openStage,
  type Fleet,
  type Stage,
} from '../support/ota-scenario.ts';

describe('a creation that is sent again', () => {
  let stage: Stage;
  let fleet: Fleet;

  before(async () => {
    stage = await openStage({ config: { timeout_sweep_seconds: 1 } });
  });
  after(() => stage.close());
  beforeEach(async () => {
    fleet = await openFleet(stage, 2);
  });

  const send = (key: string, body: object = {}, by = fleet) =>
    by
      .post('/deployments', { ...deploymentRequest(), ...body })
      .set('Idempotency-Key', key)
      .then();
  const idOf = (answer: Response) => {
    expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
    return (answer.body as CreatedDeployment).deployment_id;
  };
  const count = async () =>
    (await stage.knex('ota_deployments').where({ organization_id: fleet.organizationId })).length;

  it('G11 gives the first answer again, whatever became of the deployment', async () => {
    const key = randomUUID();
    const first = await send(key);
    await fleet.act(idOf(first), 'start');
    const again = await send(key);
    expect(again.body).to.deep.equal(first.body);
    // The same body, written in another order.
    const turned = Object.fromEntries(Object.entries(deploymentRequest()).reverse());
    const other = await fleet.post('/deployments', turned).set('Idempotency-Key', key);
    expect(other.body).to.deep.equal(first.body);
    expect(await count()).to.equal(1);
  });

  it('G11 at the same time, through two servers, is created once', async () => {
    const other = await openServer(stage.knex, { role: 'api' });
    try {
      const key = randomUUID();
      const answers = await Promise.all(
        [1, 2, 3, 4].map((one) => send(key, {}, one % 2 ? fleet : fleet.through(other.host))),
      );
      expect(new Set(answers.map(idOf)).size).to.equal(1);
      expect(await count()).to.equal(1);
    } finally {
      await other.close();
    }
  });

  it('G11 with another body is a 422, and without a key another deployment', async () => {
    const key = randomUUID();
    const id = idOf(await send(key));
    const answer = await send(key, { deployment_name: 'Another' });
    expect([answer.status, (answer.body as Problem).code]).to.deep.equal([
      422,
      'idempotency_key_reused',
    ]);
    expect((answer.body as Problem).detail).to.include(id);
    expect(await count()).to.equal(1);
    await fleet.create();
    expect(await count()).to.equal(2);
  });

  it('G11 keys are those of an organization', async () => {
    const key = randomUUID();
    const neighbour = await openFleet(stage, 1);
    expect(idOf(await send(key))).not.to.equal(idOf(await send(key, {}, neighbour)));
  });

  it('G11 a creation that failed leaves its key to the next', async () => {
    const key = randomUUID();
    const nobody = { device_filters: { device_type: 'none' } };
    expect((await send(key, nobody)).status).to.equal(422);
    idOf(await send(key));
  });

  it('G11 what was scheduled then is answered again after its time', async () => {
    const key = randomUUID();
    const body = { scheduled_at: new Date(Date.now() + 1_000).toISOString() };
    const id = idOf(await send(key, body));
    await fleet.until(id, ({ status }) => status === 'in_progress');
    expect(idOf(await send(key, body))).to.equal(id);
  });

  it('G11 a key is forgotten after 24 hours', async () => {
    const key = randomUUID();
    const id = idOf(await send(key));
    await stage
      .knex('ota_idempotency_keys')
      .where({ key })
      .update({ created_at: stage.knex.raw(`now() - interval '25 hours'`) });
    expect(idOf(await send(key))).not.to.equal(id);
  });

  for (const key of ['', 'a b', 'x'.repeat(256), 'ä']) {
    it(`G11 ${JSON.stringify(key.slice(0, 8))} is no key`, async () => {
      const answer = await fleet
        .post('/deployments', deploymentRequest())
        .set('Idempotency-Key', Buffer.from(key).toString('latin1'));
      expect(answer.status).to.equal(400);
      expect((answer.body as Problem).errors?.[0]?.path).to.equal('Idempotency-Key');
    });
  }
});

describe('a connection that breaks in the commit', () => {
  it('G11 what was committed is told as done, and what was not as not done', async () => {
    const stage = await openStage();
    try {
      const work = new KnexUnitOfWork(createPluginKnex(stage.knex));
      const fleet = await openFleet(stage, 1);
      const { deployment_id: id } = await fleet.create();
      // The session ends between the last statement and the commit.
      const lost = await work
        .run(async (tx) => {
          await asKnex(tx)('ota_deployments').where({ id }).update({ deployment_name: 'lost' });
          const { rows } = await asKnex(tx).raw<{ rows: [{ pid: number }] }>(
            'SELECT pg_backend_pid() AS pid',
          );
          await stage.knex.raw('SELECT pg_terminate_backend(?, 5000)', [rows[0].pid]);
        })
        .then(
          () => 'done',
          () => 'not done',
        );
      expect(lost).to.equal('not done');
      expect((await fleet.detail(id)).deployment_name).not.to.equal('lost');
    } finally {
      await stage.close();
    }
  });
});
