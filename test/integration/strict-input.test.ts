import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';

import { expect } from 'chai';
import type { Response } from 'supertest';

import type { Problem } from '../../backend/contract/problem.ts';
import { SESSION_COOKIE } from '../../dev/host/session-cookie.ts';
import { openSession } from '../../dev/host/sessions.ts';
import {
  ADMIN_API,
  DEVICE_API,
  deploymentRequest,
  createFleet,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';
import { DEVICE_ENTRIES, ENTRY_NAMES } from '../support/fake-host.ts';

describe('ambiguous input', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta();
    fleet = await createFleet(ota, 3);
  });

  after(() => ota.close());

  const create = (changes: object) =>
    fleet.post('/deployments', { ...deploymentRequest(), ...changes });

  const deployments = async () => (await ota.knex('ota_deployments').select('id')).length;

  /** Expects a 400 for this field. Returns its message. */
  async function expectInvalid(answer: Response, path: string): Promise<string> {
    expect(answer.status, JSON.stringify(answer.body)).to.equal(400);
    const { errors = [] } = answer.body as Problem;
    const fault = errors.find((one) => one.path === path);
    expect(fault, JSON.stringify(errors)).not.to.equal(undefined);
    return fault?.message ?? '';
  }

  describe('filters', () => {
    for (const version of [undefined, '']) {
      for (const strategy of ['manual', 'immediate', 'canary', 'rolling']) {
        it(`G16 reject an operator without a version (${String(version)}, ${strategy})`, async () => {
          const before = await deployments();
          const filters = { version_operator: '<', current_version: version };
          const body = { rollout_strategy: strategy, device_filters: filters };
          expect(
            await expectInvalid(await create(body), 'device_filters.version_operator'),
          ).to.include('current_version');
          const preview = await fleet.post('/deployments/preview', body);
          await expectInvalid(preview, 'device_filters.version_operator');
          expect(await deployments()).to.equal(before);
        });
      }
    }

    for (const filters of [
      {},
      { device_type: '' },
      { device_type: '', current_version: '', status: '' },
    ]) {
      it(`G16 cannot be ${JSON.stringify(filters)} in a manual deployment`, async () => {
        const answer = await create({ rollout_strategy: 'manual', device_filters: filters });
        expect(answer.status).to.equal(400);
        expect((answer.body as Problem).detail).to.include('device_filters');
      });
    }

    it('G16 reject whitespace', async () => {
      await expectInvalid(
        await create({ device_filters: { device_type: '  ' } }),
        'device_filters.device_type',
      );
      await expectInvalid(
        await create({ device_filters: { current_version: '\t' } }),
        'device_filters.current_version',
      );
    });
  });

  describe('times', () => {
    for (const [what, at] of Object.entries({
      'no offset': '2100-01-31T12:00:00',
      'no time': '2100-01-31',
      'a day that does not exist': '2100-02-30T12:00:00Z',
      'a leap day of another year': '2099-02-29T12:00:00Z',
      'a month that does not exist': '2100-13-01T12:00:00Z',
      'an hour that does not exist': '2100-01-31T25:00:00Z',
      'midnight at the end of a day': '2100-01-31T24:00:00Z',
      'a number': 4_105_080_000_000,
      'a number as a string': '4105080000000',
      'another format': 'Sun, 31 Jan 2100 12:00:00 GMT',
      'an empty string': '',
      'a space instead of the T': '2100-01-31 12:00:00Z',
      'an impossible offset': '2100-01-31T12:00:00+25:00',
    })) {
      it(`G17 are rejected with ${what}`, async () => {
        await expectInvalid(await create({ scheduled_at: at }), 'scheduled_at');
      });
    }

    for (const [at, means] of [
      ['2100-01-31T12:00:00Z', '2100-01-31T12:00:00.000Z'],
      ['2100-01-31T12:00:00+02:00', '2100-01-31T10:00:00.000Z'],
      ['2100-01-31T12:00:00.250-05:30', '2100-01-31T17:30:00.250Z'],
      ['2096-02-29T23:59:59Z', '2096-02-29T23:59:59.000Z'],
    ]) {
      it(`G17 are independent of the host's time zone: ${at} is ${means}`, async () => {
        const answer = await create({ scheduled_at: at });
        expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
        expect((answer.body as { scheduled_at: string }).scheduled_at).to.equal(means);
      });
    }

    it('G17 are rejected if they are in the past by the clock of the database', async () => {
      const before = await deployments();
      for (const at of ['2001-09-09T01:46:40Z', new Date(Date.now() - 1_000).toISOString()]) {
        expect(await expectInvalid(await create({ scheduled_at: at }), 'scheduled_at')).to.include(
          'past',
        );
      }
      expect(await deployments()).to.equal(before);
    });
  });

  describe('queries', () => {
    it('G19 may have empty parameters', async () => {
      const id = await fleet.rollOut();
      for (const path of [
        '/deployments?page=&page_size=&status=&search=',
        `/deployments/${id}/devices?cursor=&limit=&batch=&status=&search=`,
        `/deployments/${id}/events?cursor=`,
        '/devices?cursor=&limit=&device_type=&status=&search=',
        '/metrics?deployment_id=',
      ]) {
        const answer = await fleet.get(path);
        expect(answer.status, `${path}: ${JSON.stringify(answer.body)}`).to.equal(200);
      }
    });

    it('G19 get a clear message for an invalid cursor', async () => {
      const id = await fleet.rollOut();
      for (const path of [
        `/deployments/${id}/devices?cursor=x`,
        `/deployments/${id}/events?cursor=-1`,
        '/devices?cursor=17',
      ]) {
        const message = await expectInvalid(await fleet.get(path), 'cursor');
        expect(message).to.equal('cursor must be the next_cursor of an earlier page');
      }
    });

    for (const query of [
      'page=1e2',
      'page=0x10',
      'page=%205',
      'page=1.5',
      'page=-1',
      'page=1&page=2',
    ]) {
      it(`G19 are rejected with ${query}`, async () => {
        await expectInvalid(await fleet.get(`/deployments?${query}`), 'page');
      });
    }
  });

  describe('methods', () => {
    for (const [method, path, allow] of [
      ['delete', '/deployments', 'GET, HEAD, POST'],
      ['put', '/deployments', 'GET, HEAD, POST'],
      ['get', '/deployments/preview', 'POST'],
      ['post', '/deployments/:id', 'GET, HEAD'],
      ['get', '/deployments/:id/start', 'POST'],
      ['put', '/deployments/:id/devices/:id/rollback', 'DELETE, POST'],
      ['delete', '/metrics', 'GET, HEAD'],
      ['post', '/stream', 'GET, HEAD'],
    ] as const) {
      it(`G19 ${method} ${path} gets a 405 with Allow`, async () => {
        const url = ADMIN_API + path.replaceAll(':id', fleet.device.id);
        const answer = await fleet.host.as(fleet.admin)[method](url);
        expect(answer.status).to.equal(405);
        expect((answer.body as Problem).code).to.equal('method_not_allowed');
        expect(answer.get('Allow')).to.equal(allow);
        const anonymous = await fleet.host.request[method](url);
        expect(anonymous.status).to.equal(401);
      });
    }

    it('G19 OPTIONS gets the allowed methods', async () => {
      const answer = await fleet.host.as(fleet.admin).options(`${ADMIN_API}/deployments`);
      expect([answer.status, answer.get('Allow')]).to.deep.equal([204, 'GET, HEAD, POST']);
    });

    it('G19 HEAD of a stream ends', async () => {
      const answer = await fleet.host.as(fleet.admin).head(`${ADMIN_API}/stream`);
      expect(answer.status).to.equal(200);
      expect(answer.get('Cache-Control')).to.equal('no-store');
    });
  });

  it('G19 sets no-store on every response of the admin API', async () => {
    const id = await fleet.rollOut();
    const admin = fleet.host.as(fleet.admin);
    const device = `${ADMIN_API}/deployments/${id}/devices/${fleet.device.id}/rollback`;
    await admin.post(device).send({ previous_version: 'v1.0.0' });
    const answers: Response[] = [
      await admin.get(`${ADMIN_API}/deployments`),
      await admin.get(`${ADMIN_API}/deployments/${id}`),
      await admin.get(`${ADMIN_API}/metrics`),
      await admin.get(`${ADMIN_API}/openapi.json`),
      await admin.get(`${ADMIN_API}/nothing`),
      await admin.get(`${ADMIN_API}/deployments/%E0%A4%A`),
      await admin.put(`${ADMIN_API}/deployments`),
      await admin.options(`${ADMIN_API}/deployments`),
      await admin.post(`${ADMIN_API}/deployments`).send({}),
      await admin.post(`${ADMIN_API}/deployments`).type('text/plain').send('x'),
      await admin.post(`${ADMIN_API}/deployments/${id}/pause`),
      await admin.delete(device),
      await fleet.host.request.get(`${ADMIN_API}/deployments`),
      await fleet.host.as(ota.host.viewer).get(`${ADMIN_API}/deployments`),
    ];
    const kept = answers.filter((answer) => answer.get('Cache-Control') !== 'no-store');
    expect(kept.map((answer) => `${answer.status} ${answer.text}`)).to.deep.equal([]);
  });

  describe('a change with a session cookie', () => {
    let cookie: string;
    let origin: string;

    before(async () => {
      cookie = `${SESSION_COOKIE}=${await openSession(ota.knex, fleet.admin.id)}`;
      origin = ota.host.baseUrl;
    });

    async function pause(headers: Record<string, string>): Promise<number> {
      const id = await fleet.rollOut();
      const answer = await ota.host.request
        .post(`${ADMIN_API}/deployments/${id}/pause`)
        .set({ Cookie: cookie, ...headers });
      const { status } = await fleet.detail(id);
      expect(status, `${answer.status}`).to.equal(answer.status === 200 ? 'paused' : 'in_progress');
      return answer.status;
    }

    for (const [what, headers] of Object.entries<() => Record<string, string>>({
      'no header that shows the origin': () => ({}),
      'Sec-Fetch-Site: cross-site': () => ({ 'Sec-Fetch-Site': 'cross-site' }),
      'Sec-Fetch-Site: same-site': () => ({ 'Sec-Fetch-Site': 'same-site', Origin: origin }),
      'an empty Sec-Fetch-Site': () => ({ 'Sec-Fetch-Site': '', Origin: origin }),
      'the origin of another site': () => ({ Origin: 'https://evil.example' }),
      'an origin that begins like the host': () => ({ Origin: `${origin}.evil.example` }),
      'Origin: null': () => ({ Origin: 'null' }),
      'a Referer of another site': () => ({ Referer: `https://evil.example/?${origin}` }),
      'HTTP basic authentication': () => ({ Authorization: 'Basic eDp5' }),
    })) {
      it(`G20 with ${what} gets a 403 and changes nothing`, async () => {
        expect(await pause(headers())).to.equal(403);
      });
    }

    for (const [what, headers] of Object.entries<() => Record<string, string>>({
      'Sec-Fetch-Site: same-origin': () => ({ 'Sec-Fetch-Site': 'same-origin' }),
      'Origin alone': () => ({ Origin: origin }),
      'Referer alone': () => ({ Referer: `${origin}/admin/ota` }),
    })) {
      it(`G20 with ${what} is allowed`, async () => {
        expect(await pause(headers())).to.equal(200);
      });
    }

    it('G20 is allowed with a bearer token instead, without such headers', async () => {
      const id = await fleet.rollOut();
      const answer = await fleet.post(`/deployments/${id}/pause`);
      expect(answer.status).to.equal(200);
    });

    it('G20 needs these headers, but a read does not', async () => {
      const answer = await ota.host.request.get(`${ADMIN_API}/deployments`).set('Cookie', cookie);
      expect(answer.status).to.equal(200);
    });
  });
});

for (const entry of DEVICE_ENTRIES) {
  describe(`wrong methods of the device API, ${ENTRY_NAMES[entry]}`, () => {
    let ota: OtaServer;
    let fleet: Fleet;

    before(async () => {
      ota = await startOta({ entry });
      fleet = await createFleet(ota, 1);
    });
    after(() => ota.close());

    for (const [method, path, allow] of [
      ['POST', '/check-update', 'GET, HEAD'],
      ['GET', '/deployments/:id/status', 'POST'],
      ['PUT', '/deployments/:id/logs', 'POST'],
    ] as const) {
      it(`G19 ${method} ${path} gets a 405 with Allow, but a 401 without a token`, async () => {
        const url = `${ota.host.baseUrl}${DEVICE_API}${path.replace(':id', fleet.device.id)}`;
        const send = async (headers: Record<string, string>) => {
          const request = httpRequest(url, { method, headers }).end();
          const [response] = (await once(request, 'response')) as [IncomingMessage];
          response.resume();
          return [response.statusCode, response.headers.allow];
        };
        expect(await send({ Authorization: `Bearer ${fleet.device.token}` })).to.deep.equal([
          405,
          allow,
        ]);
        expect(await send({})).to.deep.equal([401, undefined]);
      });
    }
  });
}
