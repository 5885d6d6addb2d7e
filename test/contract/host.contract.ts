/** What the plugin requires of a host (backend/host-contract.ts), whichever host it is. */
import { get } from 'node:http';

import { expect } from 'chai';
import express, { Router, type Request } from 'express';
import supertest from 'supertest';

import type {
  AdminIdentity,
  DeviceIdentity,
  HostContext,
  NavigationPage,
} from '../../backend/host-contract.ts';

/** How a caller identifies itself to a host. */
export type Credentials = Record<string, string>;

/** A running host with a plugin that only keeps its context. */
export interface HostUnderTest {
  url: string;
  context: HostContext;
  admin: { identity: AdminIdentity; credentials: Credentials };
  /** In the same organization as the admin, but not an admin. */
  viewer: { identity: AdminIdentity; credentials: Credentials };
  /** The admin's browser, after sign-in; `null` without {@link HostOpener.hasSessions}. */
  session: Credentials | null;
  device: { identity: DeviceIdentity; credentials: Credentials };
  /** Stops the host as its operator does. */
  stop(): Promise<void>;
  /** Removes everything, whether or not it was stopped. */
  dispose(): Promise<void>;
}

/** How a host is opened: each call has a database of its own. */
export interface HostOpener {
  /** Whether browsers can sign in. */
  hasSessions: boolean;
  open(config?: object): Promise<HostUnderTest>;
  /** Opens it with a plugin whose activation fails; `null`: the host does not load plugins itself. */
  openWithBrokenPlugin: (() => Promise<{ url: string; dispose(): Promise<void> }>) | null;
}

const AREAS = { admin: '/api/v1/admin/ota', device: '/api/v1/ota' } as const;

export function hostContract(
  name: string,
  { open, openWithBrokenPlugin, hasSessions }: HostOpener,
): void {
  describe(`the host contract, ${name}`, () => {
    let host: HostUnderTest;

    before(async () => {
      host = await open({ color: 'blue', nested: { deep: [1, 2] } });
    });

    after(() => host.dispose());

    const request = (): ReturnType<typeof supertest> => supertest(host.url);

    /** Mounts a router for the time of a test. */
    async function mounted<T>(
      area: keyof typeof AREAS,
      router: Router,
      work: (path: string) => Promise<T>,
    ): Promise<T> {
      const unmount = host.context.http.mount(area, router);
      try {
        return await work(AREAS[area]);
      } finally {
        unmount();
      }
    }

    async function identityOf(
      area: keyof typeof AREAS,
      credentials: Credentials,
      query = '',
    ): Promise<unknown> {
      const { auth } = host.context;
      const router = Router().get('/who', async (received: Request, response) => {
        response.json(await (area === 'admin' ? auth.admin(received) : auth.device(received)));
      });
      return mounted(area, router, async (path) => {
        const answer = await request().get(`${path}/who${query}`).set(credentials).expect(200);
        return answer.body as unknown;
      });
    }

    it('passes the role, the configuration and a logger', () => {
      expect(host.context.role).to.equal('all');
      expect(host.context.config).to.deep.equal({ color: 'blue', nested: { deep: [1, 2] } });
      expect(host.context.logger.child).to.be.a('function');
    });

    it('passes a database with the tables that Ops-Center publishes', async () => {
      const { knex } = host.context.database;
      const columns = {
        organizations: ['id', 'name'],
        edge_devices: [
          ...['id', 'device_name', 'device_type', 'organization_id', 'device_id', 'status'],
          ...['last_seen', 'firmware_version', 'metadata'],
        ],
      };
      for (const [table, names] of Object.entries(columns))
        await knex(table).select(names).limit(1);
      const { deviceId } = host.device.identity;
      await knex('edge_devices').where({ id: deviceId }).update({ firmware_version: 'v7.0.0' });
      const row = await knex('edge_devices')
        .where({ id: deviceId })
        .first<{ firmware_version: string }>('firmware_version');
      expect(row.firmware_version).to.equal('v7.0.0');
    });

    for (const area of ['admin', 'device'] as const) {
      it(`runs routers in the order in which they were mounted, until they are unmounted: ${area}`, async () => {
        const answering = (text: string): Router =>
          Router().get('/a', (_request, response) => response.send(text));
        await mounted(area, answering('first'), (path) =>
          mounted(area, answering('second'), async () => {
            await request().get(`${path}/a`).expect(200, 'first');
          }),
        );
        const answer = await request().get(`${AREAS[area]}/a`);
        expect(answer.text).not.to.match(/first|second/);
      });

      it(`leaves the body and the headers of requests to the plugin: ${area}`, async () => {
        const router = Router().post('/echo', express.json(), (received, response) => {
          response.set('X-Plugin', 'yes').status(201).json(received.body);
        });
        await mounted(area, router, async (path) => {
          const answer = await request().post(`${path}/echo`).send({ text: 'ä' }).expect(201);
          expect(answer.body).to.deep.equal({ text: 'ä' });
          expect(answer.headers['x-plugin']).to.equal('yes');
        });
      });
    }

    it('sends events as they are written, uncompressed and unbuffered', async () => {
      const router = Router().get('/events', (_request, response) => {
        response.type('text/event-stream').write('data: first\n\n');
        response.once('close', () => response.destroy());
      });
      await mounted('admin', router, async (path) => {
        const first = await new Promise<string>((resolve, reject) => {
          const stream = get(
            `${host.url}${path}/events`,
            { headers: { ...host.admin.credentials, 'accept-encoding': 'gzip' } },
            (response) => {
              response.once('data', (chunk: Buffer) => {
                resolve(chunk.toString());
                stream.destroy();
              });
            },
          ).on('error', reject);
        });
        expect(first).to.equal('data: first\n\n');
      });
    });

    it('calls a pre-router handler first, and the router for what it leaves', async () => {
      const { preRouter } = host.context.http;
      if (!preRouter) return;
      const paths: string[] = [];
      const remove = preRouter('device', (path, _request, response) => {
        paths.push(path);
        if (!path.startsWith('/fast')) return false;
        response.end('fast');
        return true;
      });
      const router = Router().use((_request, response) => void response.send('router'));
      await mounted('device', router, async (path) => {
        await request().get(`${path}/fast?a=1`).expect(200, 'fast');
        await request().get(`${path}/slow`).expect(200, 'router');
        remove();
        await request().get(`${path}/fast`).expect(200, 'router');
      });
      expect(paths).to.deep.equal(['/fast?a=1', '/slow']);
    });

    it('says who an admin is', async () => {
      const { identity, credentials } = host.admin;
      expect(identity.isAdmin).to.equal(true);
      expect(await identityOf('admin', credentials)).to.deep.equal(identity);
    });

    it('says of other users that they are no admins', async () => {
      const { identity, credentials } = host.viewer;
      expect(identity.isAdmin).to.equal(false);
      expect(await identityOf('admin', credentials)).to.deep.equal(identity);
    });

    it('does not know anybody without valid credentials', async () => {
      const strangers: Credentials[] = [
        {},
        { authorization: 'Bearer guess' },
        { authorization: 'Bearer ' },
        { authorization: 'Basic YWRtaW46YWRtaW4=' },
        { cookie: 'session_token=guess; ops_session=guess' },
      ];
      for (const credentials of strangers) {
        expect(await identityOf('admin', credentials), JSON.stringify(credentials)).to.equal(null);
        expect(await identityOf('device', credentials), JSON.stringify(credentials)).to.equal(null);
      }
    });

    it('does not take a device for an admin, or an admin for a device', async () => {
      expect(await identityOf('admin', host.device.credentials)).to.equal(null);
      const { deviceId } = host.device.identity;
      expect(await identityOf('device', host.admin.credentials, `?device_id=${deviceId}`)).to.equal(
        null,
      );
    });

    it('says who a device is, also for many requests at once', async () => {
      const { identity, credentials } = host.device;
      const query = `?device_id=${identity.deviceId}`;
      const router = Router().get('/who', async (received, response) => {
        response.json(await host.context.auth.device(received));
      });
      await mounted('device', router, async (path) => {
        const answers = await Promise.all(
          Array.from({ length: 40 }, () =>
            request().get(`${path}/who${query}`).set(credentials).expect(200),
          ),
        );
        for (const answer of answers) expect(answer.body).to.deep.equal(identity);
      });
    });

    const sessionTest = async (): Promise<void> => {
      const session = host.session ?? {};
      expect(await identityOf('admin', session)).to.deep.equal(host.admin.identity);
      const router = Router().post('/act', (_request, response) => void response.send('done'));
      await mounted('admin', router, async (path) => {
        const own = { 'sec-fetch-site': 'same-origin' };
        await request()
          .post(`${path}/act`)
          .set({ ...session, ...own })
          .expect(200, 'done');
        for (const foreign of [
          { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
          { origin: 'https://evil.example' },
          { 'sec-fetch-site': 'same-site' },
          {},
        ]) {
          await request()
            .post(`${path}/act`)
            .set({ ...session, ...foreign })
            .expect(403);
        }
      });
    };
    if (hasSessions) it('accepts a session, but not from pages of other sites', sessionTest);

    it('adds and removes pages, and refuses two at the same path', () => {
      const page: NavigationPage = {
        id: 'contract',
        title: 'Contract',
        icon: 'page',
        section: 'Edge',
        path: '/admin/edge/contract',
        module: '/nowhere/page.js',
        style: '/nowhere/page.css',
        permission: 'ota:manage',
      };
      const { navigation } = host.context;
      const remove = navigation.addPage(page);
      expect(() => navigation.addPage({ ...page, id: 'other' })).to.throw(/conflicts/);
      remove();
      navigation.addPage(page)();
    });

    it('takes events', () => {
      const { events } = host.context;
      expect(() => events.emit('ota.deployment.completed', { deployment_id: 'x' })).not.to.throw();
    });
  });

  if (openWithBrokenPlugin) {
    it(`answers 503, never 404, for a plugin that cannot be activated, ${name}`, async () => {
      const host = await openWithBrokenPlugin();
      try {
        for (const path of Object.values(AREAS)) {
          const answer = await supertest(host.url).get(`${path}/anything`).expect(503);
          expect(Number(answer.headers['retry-after'])).to.be.above(0);
        }
        await supertest(host.url).get('/health').expect(200);
        await supertest(host.url).get('/health/ready').expect(503);
      } finally {
        await host.dispose();
      }
    });
  }

  describe(`the end of a host, ${name}`, () => {
    it('calls each shutdown callback once, unless it was removed', async () => {
      const host = await open();
      try {
        const calls: string[] = [];
        const { lifecycle } = host.context;
        lifecycle.onShutdown(async () => void calls.push('kept'));
        lifecycle.onShutdown(async () => void calls.push('removed'))();
        await host.stop();
        expect(calls).to.deep.equal(['kept']);
      } finally {
        await host.dispose();
      }
    });
  });
}
