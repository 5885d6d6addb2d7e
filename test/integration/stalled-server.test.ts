import { expect } from 'chai';

import { waitFor } from '../../dev/wait-for.ts';

import { isDatabaseUnavailable } from '../../backend/database/database-errors.ts';
import { KnexUnitOfWork, asKnex } from '../../backend/database/knex-unit-of-work.ts';
import { openFleet, openStage, type Fleet, type Stage } from '../support/ota-scenario.ts';

describe('F63 a server that stands still in the middle of a transaction', function () {
  this.timeout(40_000);
  let stage: Stage;
  let fleet: Fleet;
  let id: string;
  let wake: () => void;
  let stalled: Promise<unknown>;

  before(async () => {
    stage = await openStage();
    fleet = await openFleet(stage, 2);
    id = await fleet.roll();
    await fleet.reports(fleet.device, id, 'downloading');
    const asleep = new Promise<void>((resolve) => (wake = resolve));
    await new Promise<void>((holdsTheLock) => {
      stalled = new KnexUnitOfWork(stage.knex)
        .run(async (tx) => {
          await asKnex(tx)('ota_deployments').where({ id }).forUpdate().first('id');
          await asKnex(tx)('ota_deployment_devices')
            .where({ deployment_id: id })
            .update({ status: 'failed' });
          holdsTheLock();
          await asleep;
          await asKnex(tx)('ota_deployments').where({ id }).first('id');
        })
        .catch((error: unknown) => error);
    });
  });

  after(() => stage.close());

  it('holds up reports and admins for seconds, not for ever', async () => {
    // Refused after a while with when to come again, and taken once the stalled one has lost its session.
    await waitFor(
      async () => {
        const answer = await fleet.report(fleet.device, id, 'installing');
        if (answer.status === 503) expect(answer.get('Retry-After')).to.match(/^\d+$/);
        return answer.status === 200;
      },
      { timeout: 20_000, describe: 'the report is taken' },
    );
    expect((await fleet.act(id, 'pause')).status).to.equal('paused');
  });

  it('changes nothing when it goes on, and learns that the database left it', async () => {
    wake();
    expect(isDatabaseUnavailable(await stalled)).to.equal(true);
    expect((await fleet.detail(id)).status_breakdown).to.include({ installing: 1, failed: 0 });
  });
});
