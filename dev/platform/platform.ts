/**
 * An Ops-Center as it is published, as far as ota-server meets it: sessions, device registration, heartbeats, and the
 * reverse proxy in front of both. It loads no plugins, and stores no device tokens.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import express, { Router, type Express, type Request } from 'express';
import { createProxyServer } from 'httpxy';
import type { Redis } from 'ioredis';
import type { Knex } from 'knex';

import { PUBLISHED_TABLES } from '../../backend/server/host/published-tables.ts';
import { announceDevice, publishedDeviceRoutes } from './devices.ts';

const SESSION_COOKIE = 'session_token';
const SESSION_SECONDS = 2 * 60 * 60;
/** What the reverse proxy sends to ota-server. */
const OTA_PATHS = [
  '/api/v1/ota',
  '/api/v1/admin/ota',
  '/api/v1/admin/ota-server',
  '/api/v1/ota-server',
  '/admin/edge/ota',
];

/** A user of the identity provider. */
export interface PlatformUser {
  id: string;
  email: string;
  role: 'admin' | 'system_admin' | 'user';
}

export interface PlatformSettings {
  knex: Knex;
  /** 0: a free port. */
  port: number;
  /** Where sessions are stored; `null`: in this process, for `/api/v1/auth/me` only. */
  redis: Redis | null;
  /** Address of ota-server, which may start later. */
  otaServer: () => string;
}

export interface Platform {
  url: string;
  organizationId: string;
  user: PlatformUser;
  /** Signs a user in, and returns the cookie of the session. */
  signIn(user?: PlatformUser): Promise<string>;
  /** An address that signs the user in once. */
  loginUrl(): string;
  stop(): Promise<void>;
}

/** Creates the tables if they are missing, an organization and its administrator, and starts to listen. */
export async function startPlatform(settings: PlatformSettings): Promise<Platform> {
  const { knex } = settings;
  await knex.raw(PUBLISHED_TABLES);
  await knex.raw(`CREATE TABLE IF NOT EXISTS organization_members (
    organization_id uuid NOT NULL REFERENCES organizations, user_id uuid NOT NULL, role varchar(20) NOT NULL,
    PRIMARY KEY (organization_id, user_id))`);
  const organizationId = randomUUID();
  const user: PlatformUser = { id: randomUUID(), email: 'admin@ops-center.example', role: 'admin' };
  await knex('organizations').insert({ id: organizationId, name: 'Ops-Center' });
  await knex('keycloak_users').insert({ id: user.id, email: user.email });
  await knex('organization_members').insert({
    organization_id: organizationId,
    user_id: user.id,
    role: 'owner',
  });

  const sessions = new Sessions(settings.redis);
  const loginCodes = new Set<string>();
  const app = express()
    .disable('x-powered-by')
    .use(reverseProxy(settings.otaServer))
    .get('/login', async (request, response) => {
      const { code } = request.query;
      if (typeof code !== 'string' || !loginCodes.delete(code)) {
        response.status(401).type('text').send('This link was used before, or is not valid.');
        return;
      }
      response.cookie(SESSION_COOKIE, await sessions.open(user), { httpOnly: true, path: '/' });
      response.redirect(303, '/admin/edge/ota');
    })
    .get('/api/v1/auth/me', (request, response) => {
      const signedIn = sessions.userOf(request);
      if (signedIn) response.json({ user: signedIn });
      else response.status(401).json({ detail: 'Not authenticated' });
    })
    .use(announcements(knex, organizationId, sessions))
    .use('/api/v1/edge/devices', publishedDeviceRoutes(knex))
    .use((_request, response) => void response.status(404).json({ detail: 'Not Found' }));
  const { url, stop } = await listen(app, settings.port);
  return {
    url,
    organizationId,
    user,
    signIn: async (who = user) => `${SESSION_COOKIE}=${await sessions.open(who)}`,
    loginUrl() {
      const code = randomBytes(32).toString('hex');
      loginCodes.add(code);
      return `${url}/login?code=${code}`;
    },
    stop,
  };
}

class Sessions {
  readonly #users = new Map<string, PlatformUser>();

  constructor(private readonly redis: Redis | null) {}

  async open(user: PlatformUser): Promise<string> {
    const token = randomBytes(32).toString('hex');
    this.#users.set(token, user);
    const content = JSON.stringify({
      user: { user_id: user.id, email: user.email, role: user.role },
    });
    await this.redis?.set(`session:${token}`, content, 'EX', SESSION_SECONDS);
    return token;
  }

  userOf(request: Request): PlatformUser | null {
    const cookies = (request.get('cookie') ?? '').split(';').map((pair) => pair.trim().split('='));
    const token = cookies.find(([name]) => name === SESSION_COOKIE)?.[1];
    return this.#users.get(token ?? '') ?? null;
  }
}

function reverseProxy(otaServer: () => string): Router {
  const proxy = createProxyServer({ xfwd: true });
  return Router().use(OTA_PATHS, (request, response) => {
    // Express removed the path at which this router is mounted.
    request.url = request.originalUrl;
    proxy.web(request, response, { target: otaServer() }).catch(() => {
      if (response.headersSent) response.destroy();
      else response.status(502).end();
    });
  });
}

/** Announces a device: its registration token is shown once. */
function announcements(knex: Knex, organizationId: string, sessions: Sessions): Router {
  return Router().post(
    '/api/v1/admin/edge/devices/generate-token',
    express.json(),
    async (request, response) => {
      if (!sessions.userOf(request)) {
        response.status(401).json({ detail: 'Not authenticated' });
        return;
      }
      const { device_name: name = '', device_type: type = '' } = request.body as Record<
        string,
        string
      >;
      const { id, registrationToken } = await announceDevice(knex, { name, type, organizationId });
      response.json({ device_id: id, registration_token: registrationToken });
    },
  );
}

async function listen(app: Express, port: number): Promise<{ url: string; stop(): Promise<void> }> {
  const server = createServer(app).listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
