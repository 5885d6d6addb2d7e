import { expect } from 'chai';

import type { CreatedDeployment, DeviceExplanation } from '../../../backend/contract/admin-api.ts';
import { WAITING_REASONS } from '../../../backend/contract/states.ts';
import { sentencesAbout } from '../../../agent/release-cli/explain/sentences.ts';
import { deploymentRequest } from '../../support/ota-server.ts';
import { type Exit, OtaFolder } from '../../support/ota-program.ts';
import { ADMIN_TOKEN, RolloutHost } from '../../support/rollout-host.ts';
import type { SeededDevice } from '../../support/seed.ts';

const EXPLANATION: DeviceExplanation = {
  device_id: '5f0c1a52-6a0f-4d53-9f43-0d2f6f0b8c11',
  device_name: 'pump-17',
  last_seen: null,
  last_polled_at: '2026-11-27T08:41:10.000Z',
  deployment_id: '5f0c1a52-6a0f-4d53-9f43-0d2f6f0b8c12',
  deployment_name: 'Spring',
  target_version: 'v2.1.0',
  target_status: 'pending',
  waiting_for: {
    reason: 'other_update',
    since: '2026-11-27T08:00:00.000Z',
    until: null,
    other_deployment: {
      deployment_id: '5f0c1a52-6a0f-4d53-9f43-0d2f6f0b8c13',
      deployment_name: 'Summer\n\u001b[31mred',
      target_version: 'v3.0.0',
    },
  },
};

describe('ota explain', function () {
  this.timeout(40_000);

  describe('in its sentences', () => {
    it('says why, since when, and what ends the wait, on one line', () => {
      expect(sentencesAbout(EXPLANATION)).to.equal(
        'pump-17 does not run v2.1.0 (Spring) yet: it gets something else first, v3.0.0 (Summer red), ' +
          'since 2026-11-27T08:00:00.000Z. It gets this update after that.\n' +
          'Last poll: 2026-11-27T08:41:10.000Z. Last heartbeat: unknown.',
      );
    });

    it('has a different one for each reason, and one for those of later servers', () => {
      const sentenceOf = (reason: string) =>
        sentencesAbout({
          ...EXPLANATION,
          waiting_for: { ...EXPLANATION.waiting_for!, reason: reason as 'batch' },
        });
      const sentences = WAITING_REASONS.map(sentenceOf);
      expect(new Set(sentences).size).to.equal(WAITING_REASONS.length);
      expect(sentenceOf('window')).to.include('yet: window');
    });

    it('says that nothing is waited for', () => {
      const done = { ...EXPLANATION, target_status: 'completed', waiting_for: null } as const;
      expect(sentencesAbout(done)).to.match(/^pump-17 has finished .*: completed\.$/m);
      const none = { ...EXPLANATION, target_status: null, waiting_for: null };
      expect(sentencesAbout(none)).to.match(/^pump-17 has no unfinished update\.$/m);
    });
  });

  describe('with a server', () => {
    let host: RolloutHost;
    let folder: OtaFolder;
    let device: SeededDevice;
    let id: string;

    before(async () => {
      host = await RolloutHost.start();
      folder = await OtaFolder.create();
      const { type, devices } = await host.devices(2);
      device = devices[0] as SeededDevice;
      const answer = await fetch(`${host.url}/api/v1/admin/ota/deployments`, {
        method: 'POST',
        headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
        body: JSON.stringify(deploymentRequest({ device_filters: { device_type: type } })),
      });
      ({ deployment_id: id } = (await answer.json()) as CreatedDeployment);
    });
    after(async () => {
      await folder?.remove();
      await host?.stop();
    });

    const run = (...args: string[]): Promise<Exit> =>
      folder.run(['explain', ...args], { OTA_SERVER: host.url, OTA_TOKEN: ADMIN_TOKEN });

    it('finds the device by id, hardware id and name', async () => {
      for (const text of [device.id, device.hardwareId, device.name]) {
        const { code, stdout, stderr } = await run(text);
        expect([code, stderr]).to.deep.equal([0, '']);
        expect(stdout).to.include(`${device.name} does not run v2.1.0`);
        expect(stdout).to.include('the deployment has not been started');
      }
    });

    it('prints the answer of the server as JSON', async () => {
      const { code, stdout } = await run(device.id, '--deployment', id, '--json');
      expect(code).to.equal(0);
      expect(JSON.parse(stdout)).to.deep.include({ device_id: device.id, deployment_id: id });
    });

    it('fails if no device, several or no deployment match, or the server is away', async () => {
      const none = await run('no such device');
      expect([none.code, none.stderr]).to.deep.equal([2, 'No device matches no such device.\n']);
      const several = await run(device.name.slice(0, -1));
      expect(several.code).to.equal(2);
      expect(several.stderr).to.include(device.id);
      expect((await run(id)).code).to.equal(4);
      expect((await run(device.id, '--deployment', device.id)).code).to.equal(4);
      expect((await run(device.id, '--server', 'http://127.0.0.1:9')).code).to.equal(3);
    });
  });
});
