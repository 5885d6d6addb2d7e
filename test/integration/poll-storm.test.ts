import { expect } from 'chai';
import type { Knex } from 'knex';

import type { Problem } from '../../backend/contract/problem.ts';
import { DEVICE_ENTRIES, ENTRY_NAMES } from '../support/fake-host.ts';
import { createFleet, startOta, type Fleet, type OtaServer } from '../support/ota-server.ts';
import { waitFor } from '../../dev/wait-for.ts';

const LIMIT = 8;
const STORM = 10 * LIMIT;
const POLL_INTERVAL = 100;

interface Settled {
  status: number;
  retryAfter: number | null;
  code: string | null;
}

for (const entry of DEVICE_ENTRIES) {
  describe(`a fleet that polls all at once, ${ENTRY_NAMES[entry]}`, () => {
    let ota: OtaServer;
    let fleet: Fleet;
    let id: string;
    /** Locks the table of targets, so that every admitted poll waits. */
    let lock: Knex.Transaction;

    before(async () => {
      ota = await startOta({
        entry,
        config: { device_requests_at_once: LIMIT, poll_interval_seconds: POLL_INTERVAL },
      });
      fleet = await createFleet(ota, STORM);
      id = await fleet.rollOut();
    });

    beforeEach(async () => {
      lock = await ota.knex.transaction();
      await lock.raw('LOCK TABLE ota_deployment_devices IN ACCESS EXCLUSIVE MODE');
    });

    afterEach(async () => {
      if (!lock.isCompleted()) await lock.rollback();
    });

    after(() => ota.close());

    function poll(device: { id: string; token: string }): Promise<Settled> {
      return settle(
        fleet.host.as(device).get('/api/v1/ota/check-update').query({ device_id: device.id }),
      );
    }

    /** One poll per device. Returns the responses as they arrive. */
    function storm(): { answers: Settled[]; all: Promise<unknown> } {
      const answers: Settled[] = [];
      const all = Promise.all(
        fleet.devices.map(async (device) => answers.push(await poll(device))),
      );
      return { answers, all };
    }

    it('has its polls beyond the limit rejected at once', async () => {
      const { answers, all } = storm();
      await waitFor(() => answers.length === STORM - LIMIT, {
        describe: () => `${STORM - LIMIT} polls are rejected; now ${answers.length}`,
      });
      for (const { status, code, retryAfter } of answers) {
        expect([status, code]).to.deep.equal([503, 'overloaded']);
        expect(retryAfter).to.be.within(10, POLL_INTERVAL);
      }
      await lock.rollback();
      await all;
      const served = answers.slice(STORM - LIMIT);
      expect(served.map(({ status }) => status)).to.deep.equal(Array(LIMIT).fill(200));
    });

    it('does not block reports, and is served again afterwards', async () => {
      const { answers, all } = storm();
      await waitFor(() => answers.length === STORM - LIMIT, {
        describe: () => `${STORM - LIMIT} polls are rejected; now ${answers.length}`,
      });
      const report = settle(fleet.report(fleet.device, id, 'downloading'));
      await lock.rollback();
      await all;
      expect((await report).status).to.equal(200);

      for (const device of fleet.devices.slice(0, LIMIT + 1)) {
        expect((await poll(device)).status).to.equal(200);
      }
      const { progress } = await fleet.detail(id);
      expect([progress.failed, progress.in_progress, progress.pending]).to.deep.equal([
        0,
        1,
        STORM - 1,
      ]);
    });
  });
}

async function settle(
  request: PromiseLike<{ status: number; body: unknown; headers: Record<string, string> }>,
): Promise<Settled> {
  const { status, body, headers } = await request;
  const retryAfter = headers['retry-after'];
  return {
    status,
    retryAfter: retryAfter === undefined ? null : Number(retryAfter),
    code: (body as Partial<Problem>).code ?? null,
  };
}
