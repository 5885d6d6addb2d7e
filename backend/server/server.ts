/** Runs the plugin beside an Ops-Center that loads no Node plugins: the same database, the same users and devices. */
import { setTimeout as sleep } from 'node:timers/promises';

import { Router } from 'express';
import type { Knex } from 'knex';
import type { Logger } from 'pino';

import type { HostContext } from '../host-contract.ts';
import { PACKAGE_ROOT } from '../kernel/package-root.ts';
import { createAdmins, type Admins } from './admins/admins.ts';
import type { AdminsSettings } from './admins/admins.schema.ts';
import { createEnrolment, type Enrolment } from './devices/enrolment.ts';
import type { HostRoutes } from './host/application.ts';
import { openDatabasePool } from './host/database-pool.ts';
import type { NavigationPages } from './host/navigation-pages.ts';
import { requirePlatformTables } from './host/platform-tables.ts';
import { startPluginHost, type PluginHost } from './host/plugin-host.ts';
import { shellRoutes, shellScriptHashes } from './page/shell-routes.ts';
import type { ServerSettings } from './settings/settings.ts';

/** Without a response of the database for so long, the process ends without waiting for the rest. */
const POOL_CLOSE_LIMIT_MS = 2_000;

/**
 * Resolves when the plugin is active, or its activation has failed.
 *
 * @param pluginRoot folder of `plugin.json`; default: this package
 * @throws Error if the database is unavailable or lacks tables of Ops-Center, or the port is in use; says what to do
 */
export async function startServer(
  settings: ServerSettings,
  logger: Logger,
  pluginRoot: string = PACKAGE_ROOT,
): Promise<PluginHost> {
  const { basePath, role } = settings;
  const knex = openDatabasePool(settings.databaseUrl, `ota-server-${role}`);
  const admins = createAdmins(settings.admins, {
    knex,
    logger,
    publicUrl: settings.publicUrl.origin + basePath,
    basePath,
  });
  const enrolment = createEnrolment(
    { hoursAfterRegistration: settings.devices.hours_after_registration },
    { knex, logger, admin: admins.authenticate, trustedProxies: settings.trustedProxies },
  );
  async function close(): Promise<void> {
    await enrolment.close();
    await admins.close();
    await Promise.race([knex.destroy(), sleep(POOL_CLOSE_LIMIT_MS, null, { ref: false })]);
  }
  try {
    await requireDatabase(knex);
    await requirePlatformTables(knex, { members: readsMembers(settings.admins) });
    await admins.prepare();
    await enrolment.migrate();
    const host = await startPluginHost({
      role,
      logger,
      knex,
      redisUrl: settings.redisUrl ?? undefined,
      auth: { admin: admins.authenticate, device: enrolment.authenticate },
      pluginRoot,
      pluginConfig: settings.ota,
      port: settings.port,
      listen: settings.listen,
      metricsToken: settings.metricsToken ?? undefined,
      trustedProxies: settings.trustedProxies,
      basePath,
      healthChecks: admins.healthChecks,
      routes: (context, pages) => serverRoutes(settings, { admins, enrolment, context, pages }),
    });
    // Periodic work is for workers, as that of the plugin.
    if (role !== 'api') await enrolment.start();
    let stopping: Promise<void> | null = null;
    return { ...host, stop: () => (stopping ??= host.stop().then(close)) };
  } catch (error) {
    await close();
    throw error;
  }
}

async function requireDatabase(knex: Knex): Promise<void> {
  try {
    await knex.raw('SELECT 1');
  } catch (error) {
    throw new Error('The database cannot be used; check database_url', { cause: error });
  }
}

/** Sessions of the platform and tokens of a provider may name the organizations of a user; tokens of pipelines do. */
function readsMembers({ platform, oidc }: AdminsSettings): boolean {
  return platform !== undefined || (oidc !== undefined && oidc.claims.organization === undefined);
}

interface RouteParts {
  admins: Admins;
  enrolment: Enrolment;
  context: HostContext;
  pages: NavigationPages;
}

function serverRoutes(
  { basePath, platform }: ServerSettings,
  { admins, enrolment, context, pages }: RouteParts,
): HostRoutes {
  return {
    admins: Router()
      .use('/api/v1/admin/ota-server/enrolment', enrolment.routes)
      .use(admins.routes)
      .use(
        shellRoutes({
          context,
          pages,
          basePath,
          backLink: platform,
          // Where only pipelines can sign in, the page has nothing to offer.
          signInUrl: (next) => admins.signInUrl(next) ?? platform.href,
          isSignedIn: async (request) => (await admins.authenticate(request)) !== null,
        }),
      ),
    scriptHashes: shellScriptHashes(basePath),
  };
}
