import { expect } from 'chai';

import type { Problem } from '../../backend/contract/problem.ts';
import type { SeededDevice } from '../support/seed.ts';
import {
  DEVICE_API,
  createFleet,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';
import { DEVICE_ENTRIES, ENTRY_NAMES } from '../support/fake-host.ts';

const LIMIT = 5;

for (const entry of DEVICE_ENTRIES) {
  describe(`F61 the rate limit of a device, ${ENTRY_NAMES[entry]}`, () => {
    let ota: OtaServer;
    let fleet: Fleet;
    let id: string;

    before(async () => {
      ota = await startOta({ config: { device_requests_per_minute: LIMIT }, entry });
    });

    beforeEach(async () => {
      fleet = await createFleet(ota, 2);
      id = await fleet.rollOut();
      for (let polls = 0; polls < LIMIT; polls += 1) await fleet.poll(fleet.device);
    });

    after(() => ota.close());

    function pollFrom(device: SeededDevice, address: string) {
      return ota.host
        .as(device)
        .get(`${DEVICE_API}/check-update`)
        .query({ device_id: device.id })
        .set('X-Forwarded-For', address);
    }

    it('rejects requests with Retry-After, whatever their forwarded address', async () => {
      for (const address of ['203.0.113.1', '203.0.113.2, 203.0.113.3', '::1', 'nonsense']) {
        const answer = await pollFrom(fleet.device, address);
        expect([answer.status, (answer.body as Problem).code]).to.deep.equal([
          429,
          'too_many_requests',
        ]);
        expect(answer.get('Content-Type')).to.include('application/problem+json');
        expect(Number(answer.get('Retry-After'))).to.be.within(1, 70);
      }
    });

    it('counts polls and reports together, and a rejected report changes nothing', async () => {
      const answer = await fleet.report(fleet.device, id, 'downloading');
      expect(answer.status).to.equal(429);
      expect((await fleet.target(id, fleet.device)).status).to.equal('pending');
    });

    it('does not affect other devices with the same address', async () => {
      const other = fleet.devices[1]!;
      await pollFrom(other, '203.0.113.1').expect(200);
      await fleet.reports(other, id, 'completed');
    });

    it('ignores requests without a valid token', async () => {
      const other = fleet.devices[1]!;
      for (let guesses = 0; guesses < 2 * LIMIT; guesses += 1) {
        await ota.host.request
          .get(`${DEVICE_API}/check-update`)
          .query({ device_id: other.id })
          .auth('guess', { type: 'bearer' })
          .expect(401);
      }
      await fleet.poll(other);
    });
  });
}
