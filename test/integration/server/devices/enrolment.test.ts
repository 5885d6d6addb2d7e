import { randomUUID } from 'node:crypto';

import { expect } from 'chai';
import knexFactory from 'knex';

import { tokenHash } from '../../../../backend/server/host/tokens.ts';
import { DatabaseRelay } from '../../../support/database-relay.ts';
import {
  ENROLMENT_API,
  ORGANIZATION,
  insertPublishedDevice,
  newAuthToken,
  startEnrolmentHost,
  type EnrolmentHost,
} from '../../../support/published-platform/enrolment-host.ts';
import { insertOrganization } from '../../../support/seed.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/test-database.ts';

interface ListedRequest {
  request_id: string;
  device_id: string;
  reason: string;
  address: string | null;
  token_fingerprint: string;
  attempts: number;
  enrolled_at: string | null;
  [key: string]: unknown;
}

const fingerprintOf = (token: string) => tokenHash(token).toString('hex').slice(0, 16);

describe('devices of an Ops-Center that stores no tokens', () => {
  let database: TestDatabase;
  let host: EnrolmentHost;

  before(async () => {
    database = await createTestDatabase({ schema: 'published' });
    host = await startEnrolmentHost({ knex: database.knex });
  });
  after(async () => {
    await host?.close();
    await database?.drop();
  });

  const newDevice = (device: Parameters<typeof insertPublishedDevice>[1] = {}) =>
    insertPublishedDevice(database.knex, device);
  const update = (id: string, change: object) =>
    database.knex('edge_devices').where({ id }).update(change);
  const statusOf = async (id: string | null, token: string, server = host) =>
    (await server.identify({ id, token })).status;

  async function requestsOf(id: string, server = host): Promise<ListedRequest[]> {
    const { name } = await database
      .knex('edge_devices')
      .where({ id })
      .first<{ name: string }>({ name: 'device_name' });
    const { body } = await server
      .admin()
      .get(`${ENROLMENT_API}/requests`)
      .query({ search: name })
      .expect(200);
    return (body as { requests: ListedRequest[] }).requests;
  }

  async function enrolledDevice() {
    const device = await newDevice();
    const token = newAuthToken();
    expect(await statusOf(device.id, token)).to.equal(200);
    return { ...device, token };
  }

  describe('first use', () => {
    it('enrols a device with the token of its first request', async () => {
      const device = await newDevice();
      const token = newAuthToken();
      const first = await host.identify({ id: device.id, token });
      expect(first).to.deep.equal({
        status: 200,
        body: { deviceId: device.id, organizationId: ORGANIZATION },
      });
      expect(await host.identify({ id: device.id, token })).to.deep.equal(first);
      expect(await requestsOf(device.id)).to.deep.equal([]);
      const entry = host.log.find((one) => one['device_id'] === device.id);
      expect(entry).to.include({
        action: 'enrol',
        window: 'registration',
        token_fingerprint: fingerprintOf(token),
      });
    });

    it('stores only the hash of the token', async () => {
      const { id, token } = await enrolledDevice();
      const row = await database.knex('ota_server_device_tokens').where({ device_id: id }).first();
      expect(row.token_hash).to.deep.equal(tokenHash(token));
      expect(JSON.stringify(host.log)).to.not.include(token);
    });

    it('needs no device id afterwards, and lets a token speak for its own device only', async () => {
      const { id, token } = await enrolledDevice();
      const other = await newDevice();
      expect((await host.identify({ id: null, token })).body).to.include({ deviceId: id });
      expect((await host.identify({ id: other.id, token })).body).to.include({ deviceId: id });
    });

    it('refuses a later stranger and shows it', async () => {
      const device = await enrolledDevice();
      const stranger = newAuthToken();
      expect(await statusOf(device.id, stranger)).to.equal(401);
      expect(await statusOf(device.id, device.token)).to.equal(200);
      const [request, ...others] = await requestsOf(device.id);
      expect(others).to.deep.equal([]);
      expect(request).to.have.all.keys(
        ...['request_id', 'device_id', 'device_name', 'device_type', 'hardware_id', 'reason'],
        ...['address', 'token_fingerprint', 'first_seen_at', 'last_seen_at', 'attempts'],
        'enrolled_at',
      );
      expect(request).to.include({
        device_id: device.id,
        device_name: device.name,
        device_type: 'gateway',
        hardware_id: device.hardwareId,
        reason: 'other_token',
        address: '127.0.0.1',
        token_fingerprint: fingerprintOf(stranger),
        attempts: 1,
      });
      expect(request?.enrolled_at).to.be.a('string');
    });

    it('gives a device to exactly one of many strangers at two servers', async () => {
      const second = await startEnrolmentHost({ knex: database.knex });
      try {
        for (let round = 0; round < 5; round += 1) {
          const device = await newDevice();
          const tokens = Array.from({ length: 20 }, newAuthToken);
          const statuses = await Promise.all(
            tokens.map((token, index) => statusOf(device.id, token, index % 2 ? host : second)),
          );
          expect(statuses.filter((status) => status === 200)).to.have.length(1);
          const winner = tokens[statuses.indexOf(200)] as string;
          expect(await statusOf(device.id, winner)).to.equal(200);
          const requests = await requestsOf(device.id);
          expect(requests).to.have.length(5);
          expect(new Set(requests.map(({ reason }) => reason))).to.deep.equal(
            new Set(['other_token']),
          );
        }
      } finally {
        await second.close();
      }
    });

    it('answers the same device the same when its requests arrive at two servers at once', async () => {
      const second = await startEnrolmentHost({ knex: database.knex });
      try {
        const device = await newDevice();
        const token = newAuthToken();
        const both = [host, second, host, second];
        const statuses = await Promise.all(both.map((one) => statusOf(device.id, token, one)));
        expect(statuses).to.deep.equal([200, 200, 200, 200]);
      } finally {
        await second.close();
      }
    });

    it('never enrols a device that was announced but not registered', async () => {
      for (const change of [
        { device_id: `pending-${randomUUID()}`, status: 'pending' },
        { device_id: `pending-${randomUUID()}` },
        { status: 'pending' },
        { device_id: '' },
      ]) {
        const { id } = await newDevice();
        await update(id, change);
        expect(await statusOf(id, newAuthToken()), JSON.stringify(change)).to.equal(401);
        expect(await rowsOf(id)).to.equal(0);
        if (change.device_id === '') await update(id, { device_id: randomUUID() });
      }
    });

    it('writes nothing for a device that does not exist', async () => {
      const id = randomUUID();
      expect(await statusOf(id, newAuthToken())).to.equal(401);
      expect(await rowsOf(id)).to.equal(0);
    });

    it('does not give a device the token of another one', async () => {
      const { id, token } = await enrolledDevice();
      await update(id, { device_id: `changed-${id}` });
      const other = await newDevice();
      expect(await statusOf(other.id, token)).to.equal(401);
      expect(await rowsOf(other.id)).to.equal(0);
    });
  });

  async function rowsOf(id: string): Promise<number> {
    const [tokens, requests] = await Promise.all(
      ['ota_server_device_tokens', 'ota_server_enrolment_requests'].map((table) =>
        database.knex(table).where({ device_id: id }).select('device_id'),
      ),
    );
    return (tokens?.length ?? 0) + (requests?.length ?? 0);
  }

  describe('the window', () => {
    it('is open for 24 hours after the device was created', async () => {
      const [young, old] = [await newDevice({ ageHours: 23 }), await newDevice({ ageHours: 25 })];
      // A heartbeat bumps it.
      await update(old.id, { updated_at: database.knex.fn.now() });
      expect(await statusOf(young.id, newAuthToken())).to.equal(200);
      expect(await statusOf(old.id, newAuthToken())).to.equal(401);
      const [request] = await requestsOf(old.id);
      expect(request).to.include({ reason: 'window_closed', enrolled_at: null });
    });

    it('can be switched off', async () => {
      const never = await startEnrolmentHost({ knex: database.knex, hoursAfterRegistration: 0 });
      try {
        const { id } = await newDevice();
        expect(await statusOf(id, newAuthToken(), never)).to.equal(401);
        const { body } = await never.admin().get(`${ENROLMENT_API}/window`).expect(200);
        expect(body).to.deep.equal({ open_until: null, hours_after_registration: 0 });
      } finally {
        await never.close();
      }
    });

    it('can be opened for the devices of an organization, and ends by itself', async () => {
      const organizationId = await insertOrganization(database.knex);
      const elsewhere = await newDevice({ ageHours: 48 });
      const [first, second, third] = [
        await newDevice({ organizationId, ageHours: 48 }),
        await newDevice({ organizationId, ageHours: 48 }),
        await newDevice({ organizationId, ageHours: 48 }),
      ];
      const token = newAuthToken();
      expect(await statusOf(first.id, token)).to.equal(401);

      const admin = host.admin(organizationId);
      const opened = await admin.post(`${ENROLMENT_API}/window`).send({ hours: 2 }).expect(200);
      const { open_until } = opened.body as { open_until: string };
      const minutes = (Date.parse(open_until) - Date.now()) / 60_000;
      expect(minutes).to.be.within(118, 122);
      const shown = await admin.get(`${ENROLMENT_API}/window`).expect(200);
      expect(shown.body).to.deep.equal({ open_until, hours_after_registration: 24 });

      expect(await statusOf(first.id, token)).to.equal(200);
      expect(await statusOf(elsewhere.id, newAuthToken())).to.equal(401);
      const left = await admin.get(`${ENROLMENT_API}/requests`).expect(200);
      expect(left.body).to.deep.equal({ requests: [], next_cursor: null });

      await database
        .knex('ota_server_enrolment_windows')
        .where({ organization_id: organizationId })
        .update({ open_until: database.knex.raw(`now() - interval '1 second'`) });
      expect(await statusOf(second.id, newAuthToken())).to.equal(401);
      const over = await admin.get(`${ENROLMENT_API}/window`).expect(200);
      expect(over.body).to.include({ open_until: null });

      await admin.post(`${ENROLMENT_API}/window`).send({ hours: 168 }).expect(200);
      const closed = await admin.delete(`${ENROLMENT_API}/window`).expect(200);
      expect(closed.body).to.deep.equal({ open_until: null, hours_after_registration: 24 });
      expect(await statusOf(third.id, newAuthToken())).to.equal(401);
    });
  });

  describe('admins', () => {
    it('admit exactly one token, which replaces the earlier one at once', async () => {
      const device = await enrolledDevice();
      const [admitted, other] = [newAuthToken(), newAuthToken()];
      for (const token of [admitted, other]) {
        expect(await statusOf(device.id, token)).to.equal(401);
      }
      const request = (await requestsOf(device.id)).find(
        (one) => one.token_fingerprint === fingerprintOf(admitted),
      );
      const { body } = await host
        .admin()
        .post(`${ENROLMENT_API}/requests/${request?.request_id}/admit`)
        .expect(200);
      expect(body).to.have.all.keys('device_id', 'enrolled_at').and.include({
        device_id: device.id,
      });
      expect(await statusOf(device.id, device.token)).to.equal(401);
      expect(await statusOf(device.id, other)).to.equal(401);
      expect(await statusOf(device.id, admitted)).to.equal(200);
      const left = (await requestsOf(device.id)).map((one) => one.token_fingerprint);
      expect(left).to.have.members([fingerprintOf(other), fingerprintOf(device.token)]);
      await host.admin().post(`${ENROLMENT_API}/requests/${request?.request_id}/admit`).expect(404);
      const entry = host.log.find((one) => one['action'] === 'admit');
      expect(entry).to.deep.include({
        actor: { user_id: `admin of ${ORGANIZATION}`, name: 'Ada', address: '127.0.0.1' },
        organization_id: ORGANIZATION,
        device_id: device.id,
        token_fingerprint: fingerprintOf(admitted),
      });
    });

    it('admit a device whose window is closed', async () => {
      const device = await newDevice({ ageHours: 100 });
      const token = newAuthToken();
      expect(await statusOf(device.id, token)).to.equal(401);
      const [request] = await requestsOf(device.id);
      await host.admin().post(`${ENROLMENT_API}/requests/${request?.request_id}/admit`).expect(200);
      expect(await statusOf(device.id, token)).to.equal(200);
    });

    it('dismiss a request: its token is not shown, and not enrolled by a window', async () => {
      const device = await newDevice({ ageHours: 100 });
      const [stranger, own] = [newAuthToken(), newAuthToken()];
      expect(await statusOf(device.id, stranger)).to.equal(401);
      const [request] = await requestsOf(device.id);
      const address = `${ENROLMENT_API}/requests/${request?.request_id}`;
      await host.admin().delete(address).expect(204);
      await host.admin().delete(address).expect(404);
      await update(device.id, { created_at: database.knex.fn.now() });
      expect(await statusOf(device.id, stranger)).to.equal(401);
      expect(await requestsOf(device.id)).to.deep.equal([]);
      expect(await statusOf(device.id, own)).to.equal(200);
      expect(host.log.find((one) => one['action'] === 'dismiss')).to.include({
        device_id: device.id,
      });
    });

    it('see a dismissed request again if it is still tried after a day', async () => {
      const device = await enrolledDevice();
      const stranger = newAuthToken();
      await statusOf(device.id, stranger);
      const [request] = await requestsOf(device.id);
      await host.admin().delete(`${ENROLMENT_API}/requests/${request?.request_id}`).expect(204);
      await database
        .knex('ota_server_enrolment_requests')
        .where({ device_id: device.id })
        .update({
          dismissed_at: database.knex.raw(`now() - interval '25 hours'`),
          last_seen_at: database.knex.raw(`now() - interval '25 hours'`),
        });
      await statusOf(device.id, stranger);
      expect(await requestsOf(device.id)).to.have.length(1);
    });

    it('revoke a token, which no window brings back', async () => {
      const device = await enrolledDevice();
      const address = `${ENROLMENT_API}/devices/${device.id}`;
      await host.admin().delete(address).expect(204);
      await host.admin().delete(address).expect(404);
      expect(await statusOf(device.id, device.token)).to.equal(401);
      expect(await statusOf(device.id, newAuthToken())).to.equal(401);
      const requests = await requestsOf(device.id);
      expect(requests).to.have.length(2);
      for (const one of requests) {
        expect(one).to.include({ reason: 'window_closed', enrolled_at: null });
      }
      expect(host.log.find((one) => one['action'] === 'revoke')).to.include({
        device_id: device.id,
        token_fingerprint: fingerprintOf(device.token),
      });
      const own = requests.find((one) => one.token_fingerprint === fingerprintOf(device.token));
      await host.admin().post(`${ENROLMENT_API}/requests/${own?.request_id}/admit`).expect(200);
      expect(await statusOf(device.id, device.token)).to.equal(200);
    });

    it('page through the requests, newest first, and search them', async () => {
      const organizationId = await insertOrganization(database.knex);
      const admin = host.admin(organizationId);
      const devices = [];
      for (let count = 0; count < 5; count += 1) {
        const device = await newDevice({ organizationId, ageHours: 48, type: `type%${count}` });
        await statusOf(device.id, newAuthToken());
        devices.unshift(device);
      }
      const seen: string[] = [];
      let cursor: string | null = '';
      let pages = 0;
      while (cursor !== null) {
        const { body } = await admin
          .get(`${ENROLMENT_API}/requests`)
          .query({ cursor, limit: 2 })
          .expect(200);
        const page = body as { requests: ListedRequest[]; next_cursor: string | null };
        seen.push(...page.requests.map(({ device_id }) => device_id));
        cursor = page.next_cursor;
        pages += 1;
      }
      expect(pages).to.equal(3);
      expect(seen).to.deep.equal(devices.map(({ id }) => id));
      for (const [search, count] of [
        ['TYPE%3', 1],
        ['type%', 5],
        ['%%', 0],
        ['127.0.0.1', 5],
        [devices[0]?.hardwareId.slice(3) ?? '', 1],
      ] as const) {
        const { body } = await admin.get(`${ENROLMENT_API}/requests`).query({ search }).expect(200);
        expect((body as { requests: unknown[] }).requests, search).to.have.length(count);
      }
    });

    it('see and change nothing of another organization', async () => {
      const organizationId = await insertOrganization(database.knex);
      const foreign = host.admin(organizationId);
      const device = await enrolledDevice();
      await statusOf(device.id, newAuthToken());
      const [request] = await requestsOf(device.id);
      const own = await foreign.get(`${ENROLMENT_API}/requests`).expect(200);
      expect(own.body).to.deep.equal({ requests: [], next_cursor: null });
      const answers = [];
      for (const id of [request?.request_id, '999999999', 'x', '0', '9'.repeat(40)]) {
        answers.push(await foreign.post(`${ENROLMENT_API}/requests/${id}/admit`).expect(404));
        answers.push(await foreign.delete(`${ENROLMENT_API}/requests/${id}`).expect(404));
      }
      for (const id of [device.id, randomUUID(), 'x']) {
        answers.push(await foreign.delete(`${ENROLMENT_API}/devices/${id}`).expect(404));
      }
      expect(new Set(answers.map(({ text }) => text)).size).to.equal(1);
      expect(await statusOf(device.id, device.token)).to.equal(200);
      expect(await requestsOf(device.id)).to.have.length(1);
    });

    it('must be admins', async () => {
      const id = randomUUID();
      for (const [method, route] of [
        ['get', '/requests'],
        ['post', '/requests/1/admit'],
        ['delete', '/requests/1'],
        ['get', '/window'],
        ['post', '/window'],
        ['delete', '/window'],
        ['delete', `/devices/${id}`],
      ] as const) {
        const address = `${ENROLMENT_API}${route}`;
        const refused = await host.anonymous[method](address).expect(401);
        expect(refused.get('Cache-Control'), route).to.equal('no-store');
        await host.viewer()[method](address).expect(403);
      }
    });

    it('get every fault of a request at once', async () => {
      const admin = host.admin();
      for (const [body, paths] of [
        [{}, ['hours']],
        [{ hours: 0 }, ['hours']],
        [{ hours: 169 }, ['hours']],
        [{ hours: 1.5 }, ['hours']],
        [{ hours: '2' }, ['hours']],
        [{ hours: 'x', until: 'ever' }, ['hours', 'until']],
        [[], ['']],
      ] as const) {
        const answer = await admin.post(`${ENROLMENT_API}/window`).send(body).expect(400);
        const { errors } = answer.body as { errors: { path: string }[] };
        expect(
          errors.map(({ path }) => path),
          JSON.stringify(body),
        ).to.deep.equal(paths);
      }
      const listing = await admin
        .get(`${ENROLMENT_API}/requests`)
        .query({ limit: 0, cursor: 'x', search: 'y'.repeat(101), page: 1 })
        .expect(400);
      const { errors } = listing.body as { errors: { path: string }[] };
      expect(errors.map(({ path }) => path)).to.have.members(['limit', 'cursor', 'search', 'page']);
      expect(listing.get('Cache-Control')).to.equal('no-store');
    });
  });

  describe('a device that changes', () => {
    it('loses its token when its row gets another hardware id, until an admin admits it', async () => {
      const device = await enrolledDevice();
      await update(device.id, { device_id: `new-${device.id}` });
      expect(await statusOf(device.id, device.token)).to.equal(401);
      const [request] = await requestsOf(device.id);
      expect(request).to.include({
        reason: 'hardware_changed',
        hardware_id: `new-${device.id}`,
        token_fingerprint: fingerprintOf(device.token),
      });
      await host.admin().post(`${ENROLMENT_API}/requests/${request?.request_id}/admit`).expect(200);
      expect(await statusOf(device.id, device.token)).to.equal(200);
    });

    it('is in the organization of today', async () => {
      const device = await enrolledDevice();
      await statusOf(device.id, newAuthToken());
      const [request] = await requestsOf(device.id);
      const organizationId = await insertOrganization(database.knex);
      await update(device.id, { organization_id: organizationId });
      const moved = await host.identify({ id: device.id, token: device.token });
      expect(moved.body).to.deep.equal({ deviceId: device.id, organizationId });
      const address = `${ENROLMENT_API}/requests/${request?.request_id}/admit`;
      await host.admin().post(address).expect(404);
      await host.admin(organizationId).post(address).expect(200);
    });

    it('is unknown when its row is gone', async () => {
      const device = await enrolledDevice();
      await database.knex('edge_devices').where({ id: device.id }).delete();
      expect(await statusOf(device.id, device.token)).to.equal(401);
    });
  });

  describe('refused requests', () => {
    const age = (id: string, interval: string, token?: string) =>
      database
        .knex('ota_server_enrolment_requests')
        .where({ device_id: id, ...(token && { token_hash: tokenHash(token) }) })
        .update({ last_seen_at: database.knex.raw('now() - ?::interval', [interval]) });

    it('count at most one attempt per minute', async () => {
      const { id } = await enrolledDevice();
      const stranger = newAuthToken();
      await statusOf(id, stranger);
      await statusOf(id, stranger);
      expect(await requestsOf(id)).to.have.length(1);
      expect((await requestsOf(id))[0]).to.include({ attempts: 1 });
      await age(id, '61 seconds');
      await statusOf(id, stranger);
      expect((await requestsOf(id))[0]).to.include({ attempts: 2 });
    });

    it('are at most five per device; one that is not seen for an hour makes room', async () => {
      const { id } = await enrolledDevice();
      const tokens = Array.from({ length: 6 }, newAuthToken);
      for (const token of tokens) await statusOf(id, token);
      const shown = async () =>
        (await requestsOf(id)).map((request) => request.token_fingerprint).reverse();
      expect(await shown()).to.deep.equal(tokens.slice(0, 5).map(fingerprintOf));

      await age(id, '61 minutes', tokens[2]);
      await statusOf(id, tokens[5] as string);
      expect(await shown()).to.deep.equal(
        [0, 1, 3, 4, 5].map((at) => fingerprintOf(tokens[at] as string)),
      );
    });

    it('have the address of the client, which only trusted proxies may forward', async () => {
      const { id } = await enrolledDevice();
      const headers = { 'x-forwarded-for': '203.0.113.7' };
      await host.identify({ id, token: newAuthToken(), headers });
      const trusting = await startEnrolmentHost({
        knex: database.knex,
        trustedProxies: ['loopback'],
      });
      try {
        await trusting.identify({ id, token: newAuthToken(), headers });
      } finally {
        await trusting.close();
      }
      const addresses = (await requestsOf(id)).map(({ address }) => address);
      expect(addresses).to.deep.equal(['203.0.113.7', '127.0.0.1']);
    });

    it('of a flood of tokens share their statements, and five are written', async () => {
      const closed = await newDevice({ ageHours: 48 });
      const open = await newDevice();
      const own = await enrolledDevice();
      const flood = 2_000;
      const statements: string[] = [];
      const count = ({ sql }: { sql: string }) => void statements.push(sql);
      database.knex.on('query', count);
      try {
        // Sockets would limit how many requests arrive together.
        const identify = (id: string, token: string) =>
          host.enrolment.authenticate({
            url: `/check-update?device_id=${id}`,
            headers: { authorization: `Bearer ${token}` },
            socket: { remoteAddress: '203.0.113.7' },
          } as never);
        const answers = await Promise.all([
          identify(own.id, own.token),
          ...Array.from({ length: flood }, (_, index) =>
            identify([closed.id, open.id, own.id, randomUUID()][index % 4] ?? '', newAuthToken()),
          ),
        ]);
        expect(answers[0]).to.deep.equal({ deviceId: own.id, organizationId: ORGANIZATION });
        expect(answers.filter((answer) => answer !== null)).to.have.length(2);
      } finally {
        database.knex.removeListener('query', count);
      }
      const lookups = statements.filter((sql) => sql.includes('t.token_hash = ANY'));
      expect(lookups).to.have.length.within(1, 6);
      expect(statements).to.have.length.within(1, 60);
      for (const id of [closed.id, open.id, own.id]) {
        expect(await requestsOf(id)).to.have.length(5);
      }
      const before = statements.length;
      database.knex.on('query', count);
      await statusOf(closed.id, newAuthToken());
      database.knex.removeListener('query', count);
      const repeated = statements.slice(before);
      expect(repeated).to.have.length(2);
      for (const sql of repeated) expect(sql).to.match(/^SELECT/);
    });
  });

  describe('the cleanup', () => {
    it('forgets devices that have been missing for two days, and their requests at once', async () => {
      const device = await enrolledDevice();
      const staying = await enrolledDevice();
      await statusOf(device.id, newAuthToken());
      await statusOf(staying.id, newAuthToken());
      expect(await rowsOf(device.id)).to.equal(2);
      await database.knex('edge_devices').where({ id: device.id }).delete();
      await host.enrolment.start();
      expect(await rowsOf(device.id)).to.equal(1);
      await database
        .knex('ota_server_device_tokens')
        .where({ device_id: device.id })
        .update({ missing_since: database.knex.raw(`now() - interval '49 hours'`) });
      await host.enrolment.start();
      expect(await rowsOf(device.id)).to.equal(0);
      expect(await rowsOf(staying.id)).to.equal(2);
    });

    it('keeps a device that is back', async () => {
      const device = await enrolledDevice();
      const tokens = () =>
        database.knex('ota_server_device_tokens').where({ device_id: device.id });
      await tokens().update({ missing_since: database.knex.raw(`now() - interval '1 hour'`) });
      await host.enrolment.start();
      expect(await tokens().first()).to.include({ missing_since: null });
    });
  });
});

describe('enrolment on another schema', () => {
  it('reads devices through a view', async () => {
    const database = await createTestDatabase({ schema: 'published' });
    await database.knex.raw('ALTER TABLE edge_devices RENAME TO platform_devices');
    await database.knex.raw('CREATE VIEW edge_devices AS SELECT * FROM platform_devices');
    const host = await startEnrolmentHost({ knex: database.knex });
    try {
      const [id, token, stranger] = [
        (await insertPublishedDevice(database.knex)).id,
        newAuthToken(),
        newAuthToken(),
      ];
      expect((await host.identify({ id, token })).status).to.equal(200);
      expect((await host.identify({ id, token: stranger })).status).to.equal(401);
      const { body } = await host.admin().get(`${ENROLMENT_API}/requests`).expect(200);
      const [request] = (body as { requests: ListedRequest[] }).requests;
      await host.admin().post(`${ENROLMENT_API}/requests/${request?.request_id}/admit`).expect(200);
      expect((await host.identify({ id, token: stranger })).status).to.equal(200);
      await host.admin().delete(`${ENROLMENT_API}/devices/${id}`).expect(204);
      await host.enrolment.start();
      expect(host.log.filter((entry) => entry['level'] === 40 && entry['err'])).to.deep.equal([]);
    } finally {
      await host.close();
      await database.drop();
    }
  });

  it('is migrated once by servers that start together', async () => {
    const database = await createTestDatabase({ schema: 'published' });
    try {
      const hosts = await Promise.all(
        Array.from({ length: 4 }, () => startEnrolmentHost({ knex: database.knex })),
      );
      const applied = await database.knex('ota_server_migrations').pluck('name');
      expect(applied).to.deep.equal(['20261127000000_enrolment']);
      for (const host of hosts) await host.close();
    } finally {
      await database.drop();
    }
  });
});

describe('enrolment without its database', () => {
  it('answers 503, never that a device is unknown', async () => {
    const database = await createTestDatabase({ schema: 'published' });
    const relay = await DatabaseRelay.open(database.connectionString);
    const knex = knexFactory({
      client: 'pg',
      connection: relay.connectionString,
      // Knex would print the expected connection errors.
      log: { warn: () => undefined, error: () => undefined },
    });
    const host = await startEnrolmentHost({ knex });
    try {
      const { id } = await insertPublishedDevice(database.knex);
      const token = newAuthToken();
      expect((await host.identify({ id, token })).status).to.equal(200);
      await relay.cut();
      for (const bearer of [token, newAuthToken()]) {
        expect((await host.identify({ id, token: bearer })).status).to.equal(503);
      }
      await host.admin().get(`${ENROLMENT_API}/requests`).expect(503);
      await host.enrolment.start();
      expect(host.log.at(-1)).to.include({ level: 40 });
      await relay.restore();
      expect((await host.identify({ id, token })).status).to.equal(200);
    } finally {
      await host.close();
      await knex.destroy();
      await relay.cut();
      await database.drop();
    }
  });
});
