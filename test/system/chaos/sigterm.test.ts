import { expect } from 'chai';

import type { TargetStatus } from '../../../backend/contract/states.ts';
import type { SeededDevice } from '../../support/seed.ts';
import { DEVICE_API, createFleet, startOta, type OtaServer } from '../../support/ota-server.ts';
import { waitFor } from '../../../dev/wait-for.ts';
import { counterDrift } from '../../support/rollout-audit.ts';
import { HostProcess } from '../../../dev/host/host-process.ts';

const DEVICES = 200;
const STEPS: TargetStatus[] = ['downloading', 'installing', 'verifying', 'completed'];
/** The host's limit from SIGTERM to the end of the process. */
const STOP_LIMIT_MS = 10_000;

describe('F70 a server that gets SIGTERM under load', function () {
  this.timeout(60_000);
  let ota: OtaServer;
  let server: HostProcess;

  before(async () => {
    ota = await startOta({ config: { queue_prefix: 'elsewhere' } });
    server = await HostProcess.start({
      role: 'api',
      databaseUrl: ota.database.connectionString,
      redisUrl: '',
      pluginConfig: { queue_prefix: 'elsewhere', device_requests_per_minute: 100_000 },
    });
  });

  after(async () => {
    await server?.kill('SIGKILL');
    await ota?.close();
  });

  it('exits in time and keeps every report that it acknowledged', async () => {
    const fleet = await createFleet(ota, DEVICES);
    const id = await fleet.rollOut();
    const acknowledged = new Map<string, TargetStatus>();
    let answers = 0;
    let stopped = false;

    async function report(device: SeededDevice, status: TargetStatus): Promise<number | null> {
      const url = `${server.url}${DEVICE_API}/deployments/${id}/status?device_id=${device.id}`;
      return fetch(url, {
        method: 'POST',
        headers: { authorization: `Bearer ${device.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ status }),
      }).then(
        async (response) => {
          await response.arrayBuffer();
          return response.status;
        },
        // The connection broke, so the report may or may not be recorded.
        () => null,
      );
    }

    async function work(device: SeededDevice): Promise<void> {
      for (const status of STEPS) {
        const answer = await report(device, status);
        if (answer !== 200) {
          // Either the stopping server rejected it, or the server is gone.
          expect(answer).to.be.oneOf([null, 503]);
          stopped = true;
          return;
        }
        answers += 1;
        acknowledged.set(device.id, status);
      }
    }

    const working = Promise.all(fleet.devices.map(work));
    await waitFor(() => answers >= DEVICES / 2, { describe: 'half of the devices have reported' });
    const begin = performance.now();
    const exitCode = await server.kill('SIGTERM');
    expect(performance.now() - begin).to.be.below(STOP_LIMIT_MS);
    expect(exitCode).to.equal(0);
    await working;
    expect(stopped, 'the server stopped while devices reported').to.equal(true);

    const behind = (await fleet.targets(id)).filter(({ device_id: device, status }) => {
      const known = acknowledged.get(device);
      return known !== undefined && STEPS.indexOf(status) < STEPS.indexOf(known);
    });
    expect(behind).to.deep.equal([]);
    expect(await counterDrift(ota.knex, id)).to.equal(0);
  });
});
