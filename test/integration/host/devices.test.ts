import { expect } from 'chai';

import { cleanUp } from '../../../dev/host/cleanup.ts';
import { createPluginFixture, type PluginFixture } from '../../support/plugin-fixture.ts';
import { startTestHost, type TestHost } from '../../support/test-host.ts';

const IDLE_PLUGIN = `
  export const activate = async () => ({
    health: async () => ({ healthy: true, checks: {} }),
    deactivate: async () => {},
  });
`;
const DEVICES = '/api/v1/edge/devices';
const ADMIN_DEVICES = '/api/v1/admin/edge/devices';

describe('the device API of the host', () => {
  let plugin: PluginFixture;
  let host: TestHost;

  before(async () => {
    plugin = await createPluginFixture({ 'main.js': IDLE_PLUGIN });
    host = await startTestHost({ pluginRoot: plugin.root, heartbeatSeconds: 30 });
  });

  after(async () => {
    await host.dispose();
    await plugin.remove();
  });

  async function addDevice(name: string): Promise<{ id: string; registrationToken: string }> {
    const { body } = await host
      .as(host.adminToken)
      .post(`${ADMIN_DEVICES}/generate-token`)
      .send({ device_name: name, device_type: 'raspberry_pi' })
      .expect(201);
    const answer = body as { device_id: string; registration_token: string };
    return { id: answer.device_id, registrationToken: answer.registration_token };
  }

  function register(registrationToken: string, hardwareId: string) {
    return host.request.post(`${DEVICES}/register`).send({
      hardware_id: hardwareId,
      registration_token: registrationToken,
      firmware_version: 'v2.0.0',
      metadata: { platform: 'linux' },
    });
  }

  async function registered(name: string): Promise<{ id: string; token: string }> {
    const device = await addDevice(name);
    const { body } = await register(device.registrationToken, `hardware of ${name}`).expect(200);
    return { id: device.id, token: (body as { auth_token: string }).auth_token };
  }

  async function row(id: string): Promise<Record<string, unknown>> {
    return (await host.knex('edge_devices').where({ id }).first<Record<string, unknown>>()) ?? {};
  }

  describe('registration', () => {
    it('returns the identity and the token of the device', async () => {
      const device = await addDevice('register-me');
      const { body } = await register(device.registrationToken, 'hw-register-me').expect(200);
      expect(body).to.include({
        device_id: device.id,
        device_name: 'register-me',
        organization_id: host.admin?.organizationId,
        heartbeat_interval: 30,
        config_version: 1,
      });
      expect(await row(device.id)).to.deep.include({
        device_id: 'hw-register-me',
        device_type: 'raspberry_pi',
        firmware_version: 'v2.0.0',
        metadata: { platform: 'linux' },
        status: 'online',
      });
    });

    it('stores no token in plain text', async () => {
      const device = await addDevice('hashes');
      const { body } = await register(device.registrationToken, 'hw-hashes').expect(200);
      const { auth_token: token } = body as { auth_token: string };
      const { rows } = await host.knex.raw<{ rows: { dump: string }[] }>(
        `SELECT t::text AS dump FROM edge_device_tokens t
          UNION ALL SELECT t::text FROM edge_registration_tokens t`,
      );
      const dump = rows.map((line) => line.dump).join('\n');
      expect(dump).to.include(device.id);
      expect(dump).not.to.include(token);
      expect(dump).not.to.include(device.registrationToken);
      expect(dump).not.to.include(Buffer.from(token).toString('hex'));
    });

    it('is rejected with a token that another device used', async () => {
      const device = await addDevice('used');
      await register(device.registrationToken, 'hw-first').expect(200);
      const { body } = await register(device.registrationToken, 'hw-second').expect(401);
      expect(body).to.include({ code: 'unauthenticated' });
    });

    it('can be repeated by the same device, which revokes the earlier token', async () => {
      const device = await addDevice('repeated');
      const first = await register(device.registrationToken, 'hw-repeated').expect(200);
      const second = await register(device.registrationToken, 'hw-repeated').expect(200);
      const tokenOf = (answer: { body: unknown }): string =>
        (answer.body as { auth_token: string }).auth_token;
      const beat = (token: string) => host.as(token).post(`${DEVICES}/${device.id}/heartbeat`);
      await beat(tokenOf(first)).send({}).expect(401);
      await beat(tokenOf(second)).send({}).expect(200);
    });

    it('is rejected with an expired token', async () => {
      const device = await addDevice('late');
      await host
        .knex('edge_registration_tokens')
        .where({ device_id: device.id })
        .update({ expires_at: host.knex.raw(`now() - interval '1 second'`) });
      await register(device.registrationToken, 'hw-late').expect(401);
    });

    it('is rejected if the hardware is registered as another device', async () => {
      await registered('original');
      const device = await addDevice('copy');
      const { body } = await register(device.registrationToken, 'hardware of original').expect(409);
      expect(body).to.include({ code: 'conflict' });
    });

    it('stores no version if the agent reports unknown', async () => {
      const device = await addDevice('versionless');
      await register(device.registrationToken, 'hw-versionless')
        .send({ firmware_version: 'unknown' })
        .expect(200);
      expect(await row(device.id)).to.include({ firmware_version: null });
    });

    it('lists every error of the request at once', async () => {
      const { body } = await host.request.post(`${DEVICES}/register`).send({}).expect(400);
      const { errors } = body as { errors: { path: string }[] };
      expect(errors.map(({ path }) => path)).to.have.members(['hardware_id', 'registration_token']);
    });
  });

  describe('registration tokens', () => {
    it('can only be created by admins', async () => {
      const path = `${ADMIN_DEVICES}/generate-token`;
      const body = { device_name: 'x' };
      await host.request.post(path).send(body).expect(401);
      await host.as('no such token').post(path).send(body).expect(401);
      await host.knex('users').where({ id: host.secondAdmin?.userId }).update({ is_admin: false });
      await host.as(host.secondAdminToken).post(path).send(body).expect(403);
      await host.knex('users').where({ id: host.secondAdmin?.userId }).update({ is_admin: true });
    });

    it('can only be created in the own organization', async () => {
      await host
        .as(host.adminToken)
        .post(`${ADMIN_DEVICES}/generate-token`)
        .send({ device_name: 'x', organization_id: host.secondAdmin?.organizationId })
        .expect(403);
    });
  });

  describe('heartbeat', () => {
    it('sets the device online and stores its address', async () => {
      const { id, token } = await registered('alive');
      const { body } = await host
        .as(token)
        .post(`${DEVICES}/${id}/heartbeat`)
        .send({
          status: 'online',
          uptime: 12,
          services: { agent: 'running' },
          metrics: { load_1m: 0.1 },
          ip_address: '192.0.2.7',
        })
        .expect(200);
      expect(body).to.include({ ack: true, next_heartbeat: 30 });
      const device = await row(id);
      expect(device).to.include({ status: 'online', ip_address: '192.0.2.7' });
      expect(device['last_seen']).to.be.instanceOf(Date);
    });

    it('without a valid address keeps the known one', async () => {
      const { id, token } = await registered('wanderer');
      const beat = (body: object) => host.as(token).post(`${DEVICES}/${id}/heartbeat`).send(body);
      await beat({ ip_address: '2001:db8::1' }).expect(200);
      await beat({}).expect(200);
      await beat({ ip_address: 'somewhere' }).expect(200);
      expect(await row(id)).to.include({ ip_address: '2001:db8::1' });
    });

    it('F54 is rejected if it is for another device', async () => {
      const [one, other] = [await registered('one'), await registered('other')];
      const beat = { ip_address: '192.0.2.9' };
      await host.as(one.token).post(`${DEVICES}/${other.id}/heartbeat`).send(beat).expect(403);
      expect(await row(other.id)).to.include({ ip_address: null });
    });

    it('sets the device offline when it is missed three times', async () => {
      const { id, token } = await registered('silent');
      await host.as(token).post(`${DEVICES}/${id}/heartbeat`).send({}).expect(200);
      const silentFor = (seconds: number) =>
        host
          .knex('edge_devices')
          .where({ id })
          .update({ last_seen: host.knex.raw(`now() - ? * interval '1 second'`, [seconds]) });

      await silentFor(85);
      await cleanUp(host.knex, 30);
      expect(await row(id)).to.include({ status: 'online' });
      await silentFor(95);
      await cleanUp(host.knex, 30);
      expect(await row(id)).to.include({ status: 'offline' });
    });
  });

  it('serves configuration and accepts reports', async () => {
    const { id, token } = await registered('reporter');
    const device = host.as(token);
    const { body } = await device.get(`${DEVICES}/${id}/config`).expect(200);
    expect(body).to.deep.equal({ version: 1, data: {} });
    await device.post(`${DEVICES}/${id}/config/applied`).send({ version: 1 }).expect(202);
    await device.post(`${DEVICES}/${id}/metrics`).send({ load: 1 }).expect(202);
    await device
      .post(`${DEVICES}/${id}/logs`)
      .send({ lines: ['a'] })
      .expect(202);
    const stored = await host
      .knex('edge_device_reports')
      .where({ device_id: id })
      .orderBy('id')
      .select('kind', 'data');
    expect(stored).to.deep.equal([
      { kind: 'config_applied', data: { version: 1 } },
      { kind: 'metrics', data: { load: 1 } },
      { kind: 'logs', data: { lines: ['a'] } },
    ]);
  });

  it('lists the devices of the own organization by name and page', async () => {
    for (const name of ['list-c', 'list-a', 'list-b']) await addDevice(name);
    const page = async (query: object) => {
      const { body } = await host.as(host.adminToken).get(ADMIN_DEVICES).query(query).expect(200);
      return body as { devices: { device_name: string }[]; next_cursor: string | null };
    };
    const first = await page({ search: 'LIST-', limit: 2 });
    expect(first.devices.map((device) => device.device_name)).to.deep.equal(['list-a', 'list-b']);
    const second = await page({ search: 'LIST-', limit: 2, cursor: first.next_cursor });
    expect(second.devices.map((device) => device.device_name)).to.deep.equal(['list-c']);
    expect(second.next_cursor).to.equal(null);

    const foreign = await host.as(host.secondAdminToken).get(ADMIN_DEVICES).expect(200);
    expect(foreign.body).to.deep.equal({ devices: [], next_cursor: null });
    await host.as(host.adminToken).get(ADMIN_DEVICES).query({ cursor: 'invalid' }).expect(400);
  });

  it('F58 treats a search as text, not as a pattern or SQL', async () => {
    const { body } = await host
      .as(host.adminToken)
      .get(ADMIN_DEVICES)
      .query({ search: `%' OR true --` })
      .expect(200);
    expect(body).to.deep.equal({ devices: [], next_cursor: null });
  });
});
