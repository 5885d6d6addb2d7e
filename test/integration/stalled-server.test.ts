import { expect } from 'chai';

import { waitFor } from '../../dev/wait-for.ts';

import { isDatabaseUnavailable } from '../../backend/database/database-errors.ts';
import { KnexUnitOfWork, asKnex } from '../../backend/database/knex-unit-of-work.ts';
import { createFleet, startOta, type Fleet, type OtaServer } from '../support/ota-server.ts';

describe('F63 a server that stalls during a transaction', function () {
  this.timeout(40_000);
  let ota: OtaServer;
  let fleet: Fleet;
  let id: string;
  let resume: () => void;
  let stalled: Promise<unknown>;

  before(async () => {
    ota = await startOta();
    fleet = await createFleet(ota, 2);
    id = await fleet.rollOut();
    await fleet.reports(fleet.device, id, 'downloading');
    const stall = new Promise<void>((resolve) => (resume = resolve));
    await new Promise<void>((holdsTheLock) => {
      stalled = new KnexUnitOfWork(ota.knex)
        .run(async (tx) => {
          await asKnex(tx)('ota_deployments').where({ id }).forUpdate().first('id');
          await asKnex(tx)('ota_deployment_devices')
            .where({ deployment_id: id })
            .update({ status: 'failed' });
          holdsTheLock();
          await stall;
          await asKnex(tx)('ota_deployments').where({ id }).first('id');
        })
        .catch((error: unknown) => error);
    });
  });

  after(() => ota.close());

  it('blocks reports and admin actions for a few seconds only', async () => {
    // Reports get a 503 with Retry-After until the stalled session is terminated.
    await waitFor(
      async () => {
        const answer = await fleet.report(fleet.device, id, 'installing');
        if (answer.status === 503) expect(answer.get('Retry-After')).to.match(/^\d+$/);
        return answer.status === 200;
      },
      { timeout: 20_000, describe: 'the report is accepted' },
    );
    expect((await fleet.act(id, 'pause')).status).to.equal('paused');
  });

  it('changes nothing when it continues, and gets a database error', async () => {
    resume();
    expect(isDatabaseUnavailable(await stalled)).to.equal(true);
    expect((await fleet.detail(id)).status_breakdown).to.include({ installing: 1, failed: 0 });
  });
});
