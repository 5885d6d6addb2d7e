import { expect } from 'chai';
import supertest from 'supertest';

import type { Problem } from '../../../backend/contract/problem.ts';
import type { PlatformUser } from '../../../dev/platform/platform.ts';
import { AccessTable, ROUTES, type Area, type Route } from '../../support/access-table.ts';
import { deploymentRequest } from '../../support/ota-server.ts';
import {
  startOtaServerHost,
  type EnrolledDevice,
  type OtaServerHost,
} from '../../support/ota-server-host.ts';

interface Caller {
  who: string;
  status: 401 | 403 | 404;
  /** Default: every method. */
  method?: Route['method'];
  /** Only routes of a deployment have something that another organization could reach. */
  onlyWithId?: boolean;
  headers(): Record<string, string>;
  /** Default: the device of the deployment. */
  device?(): EnrolledDevice;
}

describe('access control through ota-server', () => {
  let host: OtaServerHost;
  let id: string;
  let device: EnrolledDevice;
  let otherDevice: EnrolledDevice;
  let foreignDevice: EnrolledDevice;
  let admin: string;
  let member: string;
  let foreignAdmin: string;
  const table = new AccessTable();

  before(async function () {
    const started = await startOtaServerHost();
    if (!started) return this.skip();
    host = started;
    const { platform } = host;
    device = await host.addDevice();
    otherDevice = await host.addDevice();
    const other = await host.addOrganization('Other');
    foreignDevice = await host.addDevice(other);
    const cookieOf = async (user?: PlatformUser): Promise<string> => platform.signIn(user);
    admin = await cookieOf();
    member = await cookieOf(await host.addUser('member'));
    foreignAdmin = await cookieOf(await host.addUser('owner', other));
    const created = await supertest(host.url)
      .post('/api/v1/admin/ota/deployments')
      .set({ cookie: admin, 'sec-fetch-site': 'same-origin' })
      .send(deploymentRequest())
      .expect(201);
    id = (created.body as { deployment_id: string }).deployment_id;
    for (const one of [device, otherDevice, foreignDevice]) await poll(one).expect(200);
  });

  after(async () => {
    table.print();
    await host?.dispose();
  });

  function poll(one: EnrolledDevice) {
    return supertest(host.url)
      .get(`/api/v1/ota/check-update?device_id=${one.id}`)
      .set(bearer(one.token));
  }

  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const ownPage = { 'sec-fetch-site': 'same-origin' };

  const callers: Record<Area, Caller[]> = {
    admin: [
      { who: 'nobody', status: 401, headers: () => ({}) },
      { who: 'a guessed token', status: 401, headers: () => bearer('guess') },
      {
        who: 'a session that Ops-Center does not have',
        status: 401,
        headers: () => ({ ...ownPage, cookie: `session_token=${'ab'.repeat(32)}` }),
      },
      {
        who: 'a guessed token, with the session of an admin',
        status: 401,
        headers: () => ({ ...bearer('guess'), cookie: admin }),
      },
      { who: 'a device', status: 401, headers: () => bearer(device.token) },
      {
        who: 'F72 a page on another site, with the session of an admin',
        status: 403,
        method: 'post',
        headers: () => ({ 'sec-fetch-site': 'cross-site', cookie: admin }),
      },
      {
        who: 'a member of the organization who is not an admin',
        status: 403,
        headers: () => ({ ...ownPage, cookie: member }),
      },
      {
        who: 'F53 an admin of another organization',
        status: 404,
        onlyWithId: true,
        headers: () => ({ ...ownPage, cookie: foreignAdmin }),
      },
    ],
    device: [
      { who: 'nobody', status: 401, headers: () => ({}) },
      { who: 'a guessed token', status: 401, headers: () => bearer('guess') },
      { who: 'a later stranger', status: 401, headers: () => bearer('cd'.repeat(32)) },
      {
        who: 'an admin',
        status: 401,
        headers: () => ({ ...ownPage, cookie: admin }),
      },
      { who: 'F54 another device', status: 403, headers: () => bearer(otherDevice.token) },
      {
        who: 'F53 a device of another organization',
        status: 404,
        onlyWithId: true,
        headers: () => bearer(foreignDevice.token),
        device: () => foreignDevice,
      },
    ],
  };

  for (const area of ['admin', 'device'] as const) {
    const { base, routes } = ROUTES[area];
    for (const { who, status, method, onlyWithId, headers, device: sender } of callers[area]) {
      for (const route of routes) {
        if (method && route.method !== method) continue;
        if (onlyWithId && !route.path.split('?')[0]?.includes(':id')) continue;
        it(`F62 ${route.method} ${base}${route.path} responds with ${status} to ${who}`, async () => {
          const path = `${base}${route.path}`
            .replace(':id', id)
            .replace(':device_id', (sender?.() ?? device).id);
          const request = supertest(host.url)[route.method](path).set(headers());
          const answer = await (route.body ? request.send(route.body) : request);
          table.record(area, route, who, answer.status);
          expect(answer.status, JSON.stringify(answer.body)).to.equal(status);
          const { code } = answer.body as Problem;
          const codes = {
            401: ['unauthenticated'],
            403: ['forbidden', 'cross_site'],
            404: ['not_found'],
          };
          expect(codes[status]).to.include(code);
        });
      }
    }
  }

  it('lets an admin act, by session and page of its own', async () => {
    await supertest(host.url)
      .post(`/api/v1/admin/ota/deployments/${id}/start`)
      .set({ ...ownPage, cookie: admin })
      .send({})
      .expect(200);
  });
});
