/** Agents at a host that enrols devices on first use, because the published Ops-Center stores no tokens. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';

import type { DeploymentDetail } from '../../backend/contract/admin-api.ts';
import { waitFor } from '../../dev/wait-for.ts';
import { makePackage } from '../support/agent/package-builder.ts';
import { Sandbox } from '../support/agent/sandbox.ts';
import {
  ENROLMENT_API,
  ORGANIZATION,
  newAuthToken,
  startEnrolmentHost,
  type EnrolmentHost,
} from '../support/published-platform/enrolment-host.ts';
import { announceDevice } from '../../dev/platform/devices.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { EarlierDevice } from './earlier-agents/support/earlier-fleet.ts';

const ADMIN_API = '/api/v1/admin/ota';

describe('agents at a host that enrols devices on first use', function () {
  this.timeout(60_000);
  let database: TestDatabase;
  let host: EnrolmentHost;
  let types = 0;

  before(async () => {
    database = await createTestDatabase({ schema: 'published' });
    host = await startEnrolmentHost({ knex: database.knex, plugin: true });
  });
  after(async () => {
    await host?.close();
    await database?.drop();
  });

  async function announced() {
    const type = `enrolled-${(types += 1)}`;
    const device = { name: `${type}-1`, type, organizationId: ORGANIZATION };
    return { type, ...(await announceDevice(database.knex, device)) };
  }

  /** Rolls a package out to the devices of a type. */
  async function rollOut(type: string, script: string): Promise<string> {
    const made = makePackage(script);
    host.packages.set(`${type}.tar.gz`, made.bytes);
    const created = await host
      .admin()
      .post(`${ADMIN_API}/deployments`)
      .send({
        deployment_name: `Update of ${type}`,
        target_version: '2.1.0',
        rollout_strategy: 'immediate',
        update_package_url: `${host.url}/packages/${type}.tar.gz`,
        checksum: made.sha256,
        device_filters: { device_type: type },
      })
      .expect(201);
    const { deployment_id: id } = created.body as { deployment_id: string };
    await host.admin().post(`${ADMIN_API}/deployments/${id}/start`).expect(200);
    await until(id, (detail) => detail.released_devices === 1);
    return id;
  }

  async function until(
    id: string,
    condition: (detail: DeploymentDetail) => boolean,
  ): Promise<DeploymentDetail> {
    let detail: DeploymentDetail | undefined;
    await waitFor(
      async () => {
        const { body } = await host.admin().get(`${ADMIN_API}/deployments/${id}`).expect(200);
        detail = body as DeploymentDetail;
        return condition(detail);
      },
      { timeout: 20_000, describe: () => `the deployment goes on: ${JSON.stringify(detail)}` },
    );
    return detail as DeploymentDetail;
  }

  const isCompleted = ({ status }: DeploymentDetail) => status === 'completed';
  const boundTokens = (id: string) =>
    database
      .knex('ota_server_device_tokens')
      .where({ device_id: id })
      .whereNotNull('token_hash')
      .select('device_id');

  /** A device without credentials. */
  async function newSandbox(): Promise<Sandbox> {
    const sandbox = await Sandbox.create(host.url);
    await rm(sandbox.state(), { recursive: true });
    return sandbox;
  }

  it('ota-agent registers, is enrolled by its first poll, and is updated', async () => {
    const { id, type, registrationToken } = await announced();
    const device = await newSandbox();
    try {
      const registered = await device.run([
        ...['register', '--server', host.url, '--token', registrationToken],
        ...['--hardware-id', `hardware-of-${type}`, '--firmware-version', '1.0.0'],
      ]);
      expect(registered.code, registered.stderr).to.equal(0);
      expect(await boundTokens(id)).to.have.length(0);

      const deployment = await rollOut(type, 'echo new > "$OTA_ROOT/app/version.txt"');
      const polled = await device.once();
      expect(polled.code, polled.stderr).to.equal(0);
      expect(await boundTokens(id)).to.have.length(1);
      await until(deployment, isCompleted);
      expect(await device.read('app/version.txt')).to.equal('new\n');
      expect(await device.currentVersion()).to.equal('2.1.0');
    } finally {
      await device.remove();
    }
  });

  it('ota-agent adopts a device of another agent, with the token that only the device has', async () => {
    const { id, type, registrationToken } = await announced();
    const device = await newSandbox();
    try {
      const registration = await fetch(`${host.url}/api/v1/edge/devices/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          hardware_id: `hardware-of-${type}`,
          registration_token: registrationToken,
        }),
      });
      expect(registration.status).to.equal(200);
      const file = path.join(device.dir, 'device.json');
      await writeFile(file, await registration.text());
      const deployment = await rollOut(type, 'echo new > "$OTA_ROOT/app/version.txt"');
      const adopted = await device.run([
        ...['adopt', file, '--server', host.url, '--installed-version', '1.0.0'],
        ...['--hardware-id', `hardware-of-${type}`],
      ]);
      expect(adopted.code, adopted.stderr).to.equal(0);
      expect(await boundTokens(id)).to.have.length(1);
      expect((await device.once()).code).to.equal(0);
      await until(deployment, isCompleted);
      expect(await device.currentVersion()).to.equal('2.1.0');
    } finally {
      await device.remove();
    }
  });

  it('ota-agent keeps polling while it is refused, and is updated once an admin admits it', async () => {
    const { id, type, registrationToken } = await announced();
    const device = await newSandbox();
    try {
      await device.run([
        ...['register', '--server', host.url, '--token', registrationToken],
        ...['--hardware-id', `hardware-of-${type}`, '--firmware-version', '1.0.0'],
      ]);
      const thief = await fetch(`${host.url}/api/v1/ota/check-update?device_id=${id}`, {
        headers: { authorization: `Bearer ${newAuthToken()}` },
      });
      expect(thief.status).to.equal(200);

      const deployment = await rollOut(type, 'exit 0');
      const agent = await device.start(['run']);
      const request = await waitFor(
        async () => {
          const { body } = await host
            .admin()
            .get(`${ENROLMENT_API}/requests`)
            .query({ search: type })
            .expect(200);
          return (body as { requests: { request_id: string; reason: string }[] }).requests[0];
        },
        { timeout: 20_000, describe: 'the agent is shown as refused' },
      );
      expect(request.reason).to.equal('other_token');
      await host.admin().post(`${ENROLMENT_API}/requests/${request.request_id}/admit`).expect(200);
      await until(deployment, isCompleted);
      agent.process.kill('SIGTERM');
      expect((await agent.exit).code).to.equal(0);
    } finally {
      await device.remove();
    }
  });

  it('an earlier agent registers, is enrolled by its first poll, and is updated', async () => {
    const { id, type, registrationToken } = await announced();
    const root = await mkdtemp(path.join(tmpdir(), 'enrolled-device-'));
    await mkdir(path.join(root, 'etc/edge-agent'), { recursive: true });
    await writeFile(
      path.join(root, 'etc/edge-agent/config.json'),
      JSON.stringify({
        server_url: host.url,
        registration_token: registrationToken,
        poll_seconds: 0.2,
      }),
    );
    const device = new EarlierDevice(id, root);
    try {
      await device.start();
      await device.until('polls', ({ said }) =>
        said.some((one) => one.path.endsWith('/check-update') && one.answer === 200),
      );
      expect(await boundTokens(id)).to.have.length(1);
      const deployment = await rollOut(type, 'echo 2.1.0 > "$OTA_ROOT/version.txt"');
      await until(deployment, isCompleted);
      expect(await device.version()).to.equal('2.1.0\n');
    } finally {
      await device.kill();
      await rm(root, { recursive: true, force: true });
    }
  });
});
