import { once } from 'node:events';
import { connect } from 'node:net';
import { expect } from 'chai';
import {
  type Fleet,
  ADMIN_API,
  type OtaServer,
  createFleet,
  startOta,
} from '../support/ota-server.ts';
import { waitFor } from '../../dev/wait-for.ts';

const CLIENTS = 30;

describe('an event stream whose client disconnects early', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta();
    fleet = await createFleet(ota, 1);
  });
  after(() => ota?.close());

  const timers = (): number =>
    process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;

  it('leaves no timer running', async () => {
    const { deployment_id: id } = await fleet.create();
    await fleet.detail(id);
    const before = timers();
    const { hostname, port } = new URL(ota.host.baseUrl);
    for (let client = 0; client < CLIENTS; client++) {
      const socket = connect(Number(port), hostname);
      await once(socket, 'connect');
      const sent = new Promise((resolve) => {
        socket.write(
          `GET ${ADMIN_API}/deployments/${id}/stream HTTP/1.1\r\nHost: ${hostname}\r\n` +
            `Authorization: Bearer ${fleet.admin.token}\r\n\r\n`,
          resolve,
        );
      });
      await sent;
      socket.destroy();
      await once(socket, 'close');
    }
    await waitFor(() => timers() <= before, {
      describe: () => `at most ${before} timers run; now ${timers()}`,
    });
    expect((await fleet.detail(id)).deployment_id).to.equal(id);
  });
});
