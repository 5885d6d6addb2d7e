import { randomUUID } from 'node:crypto';

import { expect } from 'chai';
import type { Response } from 'supertest';

import type { CreatedDeployment } from '../../backend/contract/admin-api.ts';
import type { Problem } from '../../backend/contract/problem.ts';
import { KnexUnitOfWork, asKnex } from '../../backend/database/knex-unit-of-work.ts';
import { createPluginKnex } from '../../backend/database/plugin-knex.ts';
import {
  deploymentRequest,
  createFleet,
  startServer,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

describe('a creation with an Idempotency-Key', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta({ config: { timeout_sweep_seconds: 1 } });
  });
  after(() => ota.close());
  beforeEach(async () => {
    fleet = await createFleet(ota, 2);
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
    (await ota.knex('ota_deployments').where({ organization_id: fleet.organizationId })).length;

  it('G11 returns the first response again, even if the deployment has changed', async () => {
    const key = randomUUID();
    const first = await send(key);
    await fleet.act(idOf(first), 'start');
    const again = await send(key);
    expect(again.body).to.deep.equal(first.body);
    // The same body with its keys in another order.
    const reordered = Object.fromEntries(Object.entries(deploymentRequest()).reverse());
    const other = await fleet.post('/deployments', reordered).set('Idempotency-Key', key);
    expect(other.body).to.deep.equal(first.body);
    expect(await count()).to.equal(1);
  });

  it('G11 happens once if it is sent to two servers at the same time', async () => {
    const other = await startServer(ota.knex, { role: 'api' });
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

  it('G11 gives a 422 for another body with the same key', async () => {
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

  it('G11 uses keys per organization', async () => {
    const key = randomUUID();
    const neighbour = await createFleet(ota, 1);
    expect(idOf(await send(key))).not.to.equal(idOf(await send(key, {}, neighbour)));
  });

  it('G11 does not use up the key if it fails', async () => {
    const key = randomUUID();
    const matchesNone = { device_filters: { device_type: 'none' } };
    expect((await send(key, matchesNone)).status).to.equal(422);
    idOf(await send(key));
  });

  it('G11 returns the same response after the scheduled start has passed', async () => {
    const key = randomUUID();
    const body = { scheduled_at: new Date(Date.now() + 1_000).toISOString() };
    const id = idOf(await send(key, body));
    await fleet.until(id, ({ status }) => status === 'in_progress');
    expect(idOf(await send(key, body))).to.equal(id);
  });

  it('G11 can use a key again after 24 hours', async () => {
    const key = randomUUID();
    const id = idOf(await send(key));
    await ota
      .knex('ota_idempotency_keys')
      .where({ key })
      .update({ created_at: ota.knex.raw(`now() - interval '25 hours'`) });
    expect(idOf(await send(key))).not.to.equal(id);
  });

  for (const key of ['', 'a b', 'x'.repeat(256), 'ä']) {
    it(`G11 rejects the key ${JSON.stringify(key.slice(0, 8))}`, async () => {
      const answer = await fleet
        .post('/deployments', deploymentRequest())
        .set('Idempotency-Key', Buffer.from(key).toString('latin1'));
      expect(answer.status).to.equal(400);
      expect((answer.body as Problem).errors?.[0]?.path).to.equal('Idempotency-Key');
    });
  }
});

describe('a connection that breaks during a commit', () => {
  it('G11 is reported as a failure if nothing was committed', async () => {
    const ota = await startOta();
    try {
      const work = new KnexUnitOfWork(createPluginKnex(ota.knex));
      const fleet = await createFleet(ota, 1);
      const { deployment_id: id } = await fleet.create();
      // The session ends between the last statement and the commit.
      const lost = await work
        .run(async (tx) => {
          await asKnex(tx)('ota_deployments').where({ id }).update({ deployment_name: 'lost' });
          const { rows } = await asKnex(tx).raw<{ rows: [{ pid: number }] }>(
            'SELECT pg_backend_pid() AS pid',
          );
          await ota.knex.raw('SELECT pg_terminate_backend(?, 5000)', [rows[0].pid]);
        })
        .then(
          () => 'committed',
          () => 'failed',
        );
      expect(lost).to.equal('failed');
      expect((await fleet.detail(id)).deployment_name).not.to.equal('lost');
    } finally {
      await ota.close();
    }
  });
});
