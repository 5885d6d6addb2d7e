/** The hosts that run the plugin, opened with a plugin that only keeps its context. */
import { randomUUID } from 'node:crypto';

import type { HostContext } from '../../backend/host-contract.ts';
import { SESSION_COOKIE } from '../../dev/host/session-cookie.ts';
import { openSession } from '../../dev/host/sessions.ts';
import type { HostOpener } from '../contract/host.contract.ts';
import { createFakeHost } from './fake-host.ts';
import { startOtaServerHost, type OtaServerHost } from './ota-server-host.ts';
import { createPluginFixture, type PluginFixture } from './plugin-fixture.ts';
import { insertDevices, insertUser } from './seed.ts';
import { createTestDatabase } from './test-database.ts';
import { startTestHost } from './test-host.ts';

const BROKEN = `export async function activate() { throw new Error('broken for a test'); }`;

/** The contexts that the plugins of {@link keepingPlugin} got, by key. */
const contexts = new Map<string, HostContext>();
Object.assign(globalThis, { contextsOfTests: contexts });

/** A plugin that keeps its context, and how to take it. */
async function keepingPlugin(): Promise<{
  plugin: PluginFixture;
  takeContext(): HostContext;
}> {
  const key = randomUUID();
  const plugin = await createPluginFixture({
    'main.js': `export async function activate(host) {
      globalThis.contextsOfTests.set('${key}', host);
      return {
        health: async () => ({ healthy: true, checks: {} }),
        metrics: async () => '',
        deactivate: async () => undefined,
      };
    }`,
  });
  return {
    plugin,
    takeContext() {
      const context = contexts.get(key);
      if (!context) throw new Error('the plugin was not activated');
      contexts.delete(key);
      return context;
    },
  };
}

/** Opens a host with a plugin whose activation fails. */
async function openBroken(
  start: (plugin: PluginFixture) => Promise<{ url: string; dispose(): Promise<void> }>,
): Promise<{ url: string; dispose(): Promise<void> }> {
  const plugin = await createPluginFixture({ 'main.js': BROKEN });
  const host = await start(plugin);
  return { url: host.url, dispose: () => disposeBoth(host, plugin) };
}

async function disposeBoth(
  host: { dispose(): Promise<void> },
  plugin: PluginFixture,
): Promise<void> {
  await host.dispose();
  await plugin.remove();
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

export const FAKE_HOST: HostOpener = {
  hasSessions: false,
  async open(config = {}) {
    const database = await createTestDatabase();
    const { knex } = database;
    const host = await createFakeHost({ knex, config, entry: 'pre-router' });
    const { admin, viewer, organizationId } = host;
    const [device] = await insertDevices(knex, 1, { organizationId });
    if (!device) throw new Error('no device');
    const identity = (user: typeof admin) => ({
      userId: user.id,
      name: user.name,
      organizationId,
      isAdmin: user.isAdmin,
    });
    return {
      url: host.baseUrl,
      context: host.context,
      admin: { identity: identity(admin), credentials: bearer(admin.token) },
      viewer: { identity: identity(viewer), credentials: bearer(viewer.token) },
      session: null,
      device: {
        identity: { deviceId: device.id, organizationId },
        credentials: bearer(device.token),
      },
      stop: () => host.runShutdownCallbacks(),
      async dispose() {
        await host.close();
        await database.drop();
      },
    };
  },
  openWithBrokenPlugin: null,
};

export const STAND_IN_HOST: HostOpener = {
  hasSessions: true,
  async open(config = {}) {
    const { plugin, takeContext } = await keepingPlugin();
    const host = await startTestHost({ pluginRoot: plugin.root, pluginConfig: config });
    const { knex, admin } = host;
    if (!admin) throw new Error('no admin');
    const { organizationId, userId } = admin;
    const viewer = await insertUser(knex, { organizationId, name: 'Viewer', isAdmin: false });
    const [device] = await insertDevices(knex, 1, { organizationId });
    if (!device) throw new Error('no device');
    const cookie = `${SESSION_COOKIE}=${await openSession(knex, userId)}`;
    return {
      url: host.url,
      context: takeContext(),
      admin: {
        identity: { userId, name: 'Operations admin', organizationId, isAdmin: true },
        credentials: bearer(host.adminToken),
      },
      viewer: {
        identity: { userId: viewer.id, name: viewer.name, organizationId, isAdmin: false },
        credentials: bearer(viewer.token),
      },
      session: { cookie },
      device: {
        identity: { deviceId: device.id, organizationId },
        credentials: bearer(device.token),
      },
      stop: () => host.stop(),
      dispose: () => disposeBoth(host, plugin),
    };
  },
  openWithBrokenPlugin: () => openBroken(({ root }) => startTestHost({ pluginRoot: root })),
};

export const OTA_SERVER: HostOpener = {
  hasSessions: true,
  async open(config = {}) {
    const { plugin, takeContext } = await keepingPlugin();
    const host = await requireServer({ ota: config }, plugin);
    const { platform } = host;
    const { organizationId } = platform;
    const viewer = await host.addUser('member');
    const device = await host.addDevice();
    const session = { cookie: await platform.signIn() };
    return {
      url: host.url,
      context: takeContext(),
      admin: {
        identity: {
          userId: platform.user.id,
          name: platform.user.email,
          organizationId,
          isAdmin: true,
        },
        credentials: { ...session, 'sec-fetch-site': 'same-origin' },
      },
      viewer: {
        identity: { userId: viewer.id, name: viewer.email, organizationId, isAdmin: false },
        credentials: { cookie: await platform.signIn(viewer) },
      },
      session,
      device: {
        identity: { deviceId: device.id, organizationId },
        credentials: bearer(device.token),
      },
      stop: () => host.stop(),
      dispose: () => disposeBoth(host, plugin),
    };
  },
  openWithBrokenPlugin: () => openBroken((plugin) => requireServer({}, plugin)),
};

async function requireServer(settings: object, plugin: PluginFixture): Promise<OtaServerHost> {
  const host = await startOtaServerHost({ ...settings }, plugin.root);
  if (!host) throw new Error('redis-server is not installed');
  return host;
}
