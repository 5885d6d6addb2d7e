import { randomUUID } from 'node:crypto';

import { expect } from 'chai';

import type { Problem } from '../../backend/contract/problem.ts';
import { SESSION_COOKIE } from '../../dev/host/session-cookie.ts';
import { openSession } from '../../dev/host/sessions.ts';
import type { SeededDevice, SeededUser } from '../support/seed.ts';
import {
  ADMIN_ROUTES_WITH_ID,
  AccessTable,
  DEVICE_ROUTES,
  ROUTES,
  type Area,
  type Route,
} from '../support/access-table.ts';
import {
  ADMIN_API,
  DEVICE_API,
  createFleet,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

interface Credentials {
  token?: string;
  session?: string;
  /** The request comes from a page on another site. */
  crossSite?: boolean;
}

interface RejectedCaller {
  who: string;
  status: 401 | 403;
  /** Default: every method. */
  method?: Route['method'];
  credentials(): Credentials | Promise<Credentials>;
}

describe('access control', () => {
  let ota: OtaServer;
  let fleet: Fleet;
  let id: string;

  before(async () => {
    ota = await startOta();
    fleet = await createFleet(ota, 2);
    id = await fleet.rollOut();
    await fleet.reports(fleet.device, id, 'completed');
  });

  after(async () => {
    await ota.close();
    table.print();
  });

  const table = new AccessTable();

  function call(
    base: string,
    route: Route,
    credentials: Credentials | string,
    ids: { id?: string; deviceId?: string } = {},
  ) {
    const url = `${base}${route.path}`
      .replace(':id', ids.id ?? id)
      .replace(':device_id', ids.deviceId ?? fleet.device.id);
    const request = fleet.host.request[route.method](url);
    const { token, session, crossSite } =
      typeof credentials === 'string' ? { token: credentials } : credentials;
    if (crossSite) void request.set('Sec-Fetch-Site', 'cross-site');
    if (token !== undefined) void request.auth(token, { type: 'bearer' });
    if (session !== undefined) void request.set('Cookie', `${SESSION_COOKIE}=${session}`);
    return route.body ? request.send(route.body) : request;
  }

  const state = async () => JSON.stringify([await fleet.storedDetail(id), await fleet.events(id)]);

  const adminToken = () => fleet.admin.token;
  const deviceToken = () => fleet.device.token;

  async function crossSiteSession(): Promise<Credentials> {
    return { session: await openSession(ota.knex, fleet.admin.id), crossSite: true };
  }

  async function expiredSession(): Promise<Credentials> {
    const session = await openSession(ota.knex, fleet.admin.id);
    await ota.knex('user_sessions').update({ expires_at: new Date(0) });
    return { session };
  }

  it('is tested on every route', () => {
    for (const area of ['admin', 'device'] as const) {
      const rows = ROUTES[area].routes.map(({ method, path }) => `${method} ${path.split('?')[0]}`);
      expect(ota.host.routes(area)).to.have.members([...new Set(rows)]);
    }
  });

  const rejectedCallers: Record<Area, RejectedCaller[]> = {
    admin: [
      { who: 'nobody', status: 401, credentials: () => ({}) },
      { who: 'an empty token', status: 401, credentials: () => ({ token: '' }) },
      { who: 'a guessed token', status: 401, credentials: () => ({ token: 'guess' }) },
      { who: 'a longer token', status: 401, credentials: () => ({ token: `${adminToken()}x` }) },
      { who: 'an expired session', status: 401, credentials: expiredSession },
      { who: 'a device', status: 401, credentials: () => ({ token: fleet.device.token }) },
      {
        who: 'F72 a page on another site, with the session of an admin',
        status: 403,
        method: 'post',
        credentials: crossSiteSession,
      },
      {
        who: 'a user who is not an admin',
        status: 403,
        credentials: () => ({ token: ota.host.viewer.token }),
      },
    ],
    device: [
      { who: 'nobody', status: 401, credentials: () => ({}) },
      { who: 'an empty token', status: 401, credentials: () => ({ token: '' }) },
      { who: 'a guessed token', status: 401, credentials: () => ({ token: 'guess' }) },
      { who: 'a longer token', status: 401, credentials: () => ({ token: `${deviceToken()}x` }) },
      { who: 'an admin', status: 401, credentials: () => ({ token: adminToken() }) },
      {
        who: 'F54 another device',
        status: 403,
        credentials: () => ({ token: fleet.devices[1]?.token ?? '' }),
      },
    ],
  };

  for (const area of ['admin', 'device'] as const) {
    const { base, routes } = ROUTES[area];
    for (const { who, status, method, credentials } of rejectedCallers[area]) {
      for (const route of routes) {
        if (method && route.method !== method) continue;
        it(`F62 ${route.method} ${base}${route.path} responds with ${status} to ${who}`, async () => {
          const before = await state();
          const response = await call(base, route, await credentials());
          table.record(area, route, who, response.status);
          expect(response.get('X-Content-Type-Options')).to.equal('nosniff');
          expect(response.get('Content-Security-Policy')).to.include('frame-ancestors');
          expect([response.status, (response.body as Problem).code]).to.deep.equal([
            status,
            status === 401 ? 'unauthenticated' : 'forbidden',
          ]);
          expect(await state()).to.equal(before);
        });
      }
    }
  }

  it('F62 rejects a revoked token at once', async () => {
    const other = await createFleet(ota, 1);
    await other.poll(other.device);
    await ota.knex('edge_device_tokens').where({ device_id: other.device.id }).delete();
    const answer = await call(DEVICE_API, DEVICE_ROUTES[0]!, other.device.token, {
      deviceId: other.device.id,
    });
    expect(answer.status).to.equal(401);
  });

  describe('F53 for another organization', () => {
    let foreignAdmin: SeededUser;
    let foreignDevice: SeededDevice;

    before(async () => {
      const other = await createFleet(ota, 1);
      foreignAdmin = other.admin;
      foreignDevice = other.device;
    });

    for (const route of ADMIN_ROUTES_WITH_ID) {
      it(`${route.method} ${route.path} responds to its id as to an unknown id`, async () => {
        const before = await state();
        const foreign = await call(ADMIN_API, route, foreignAdmin.token);
        table.record('admin', route, 'F53 an admin of another organization', foreign.status);
        const unknown = await call(ADMIN_API, route, foreignAdmin.token, {
          id: randomUUID(),
          deviceId: randomUUID(),
        });
        expect([foreign.status, (foreign.body as Problem).code]).to.deep.equal([404, 'not_found']);
        expect(foreign.body).to.deep.equal(unknown.body);
        expect(await state()).to.equal(before);
      });

      it(`F60 ${route.method} ${route.path} responds to a malformed id as to an unknown id`, async () => {
        for (const bad of ['1', 'null', '%27%20OR%201%3D1', `${id}0`, '..%2f..%2fetc%2fpasswd']) {
          const answer = await call(ADMIN_API, route, fleet.admin.token, {
            id: bad,
            deviceId: bad,
          });
          expect([bad, answer.status, (answer.body as Problem).code]).to.deep.equal([
            bad,
            404,
            'not_found',
          ]);
        }
      });
    }

    for (const route of DEVICE_ROUTES.filter(({ path }) => path.includes(':id'))) {
      it(`${route.path} responds to its device as for an unknown deployment`, async () => {
        const before = await state();
        const ids = { deviceId: foreignDevice.id };
        const foreign = await call(DEVICE_API, route, foreignDevice.token, ids);
        table.record('device', route, 'F53 a device of another organization', foreign.status);
        const unknown = await call(DEVICE_API, route, foreignDevice.token, {
          ...ids,
          id: randomUUID(),
        });
        expect([foreign.status, (foreign.body as Problem).code]).to.deep.equal([404, 'not_found']);
        expect(foreign.body).to.deep.equal(unknown.body);
        expect(await state()).to.equal(before);
      });
    }

    it('lists and counts only its own deployments and devices', async () => {
      const [list, metrics, devices] = await Promise.all([
        call(ADMIN_API, { method: 'get', path: '/deployments' }, foreignAdmin.token),
        call(ADMIN_API, { method: 'get', path: '/metrics' }, foreignAdmin.token),
        call(ADMIN_API, { method: 'get', path: '/devices' }, foreignAdmin.token),
      ]);
      expect(list.body.pagination.total_count).to.equal(0);
      expect(metrics.body).to.include({ total_deployments: 0, success_rate: null });
      expect(metrics.body.versions).to.have.length(1);
      expect(devices.body.devices).to.have.length(1);
      expect(devices.body.devices[0].device_id).to.equal(foreignDevice.id);
      expect(devices.body.facets.types).to.deep.equal([{ device_type: 'raspberry_pi', count: 1 }]);
    });

    it('does not find a device in a deployment that does not contain it', async () => {
      const mine = await call(
        ADMIN_API,
        { method: 'post', path: '/deployments/:id/devices/:device_id/rollback' },
        fleet.admin.token,
        { deviceId: foreignDevice.id },
      );
      expect(mine.status).to.equal(404);
    });

    it('offers a moved device nothing from its previous organization', async () => {
      const before = await createFleet(ota, 1);
      await before.rollOut();
      await ota
        .knex('edge_devices')
        .where({ id: before.device.id })
        .update({ organization_id: foreignAdmin.organizationId, device_name: randomUUID() });
      expect(await before.offered(before.device)).to.equal(null);
    });

    it('accepts no report from a moved device to its previous organization', async () => {
      const former = await createFleet(ota, 1);
      const formerId = await former.rollOut();
      await ota
        .knex('edge_devices')
        .where({ id: former.device.id })
        .update({ organization_id: foreignAdmin.organizationId, device_name: randomUUID() });
      await former.report(former.device, formerId, 'completed').expect(404);
      expect((await former.detail(formerId)).progress).to.include({ pending: 1, completed: 0 });
    });
  });
});
