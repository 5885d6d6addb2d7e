/** `npm start`: the stand-in host with the plugin of this package. */
import cluster from 'node:cluster';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';

import { destination, pino } from 'pino';

import { startEmbeddedPostgres } from '../../backend/server/postgres/embedded-postgres.ts';
import { catchInterrupts } from '../../backend/server/host/interrupts.ts';
import { readEnvironment, type HostEnvironment } from './environment.ts';
import { startHost, type RunningHost } from './host.ts';
import { LOG_OPTIONS } from '../../backend/server/host/log-options.ts';
import { HostProcesses, reportStart, signalProcesses } from './processes.ts';
import { startMessage, type StartedHost } from './start-message.ts';
import { newToken } from '../../backend/server/host/tokens.ts';

const PLUGIN_ROOT = path.resolve(import.meta.dirname, '..', '..');
/** After this the process exits even if the host has not stopped. The database is stopped in any case. */
const STOP_LIMIT_MS = 10_000;

const environment = environmentOrExit();
const logger = pino(
  { ...LOG_OPTIONS, level: environment.logLevel },
  destination({ fd: 2, sync: true }),
);
const interrupts = catchInterrupts();

const database = environment.databaseUrl
  ? { url: environment.databaseUrl, name: 'from DATABASE_URL', stop: () => Promise.resolve() }
  : await embeddedDatabase(environment.dataDir);
let hasStopped = true;
try {
  hasStopped = await Promise.race([
    cluster.isPrimary && environment.processes > 1 ? runProcesses() : runHost(),
    interrupts.forceStopRequested.then(() => false),
    interrupts.stopRequested.then(() => setTimeout(STOP_LIMIT_MS, false, { ref: false })),
  ]);
  logger.info(hasStopped ? 'Stopped' : 'Exiting before everything has stopped');
} catch (error) {
  logger.fatal({ err: error }, 'Ops-Center failed to start');
  process.exitCode = 1;
} finally {
  signalProcesses('SIGKILL');
  await database.stop();
}
// Open handles must not keep the process alive.
if (!hasStopped) process.exit(1);
// The connection to the supervising process is one of them.
cluster.worker?.disconnect();

/** Runs the host in this process until a stop is requested. Resolves with true. */
async function runHost(): Promise<boolean> {
  const host = await startHost({
    ...environment,
    logger,
    databaseUrl: database.url,
    pluginRoot: PLUGIN_ROOT,
  });
  // An unhandled rejection in the plugin must not take the host down.
  process.on('unhandledRejection', (reason) => {
    logger.error({ err: reason }, 'Unhandled rejection');
  });
  const started = await describe(host);
  if (cluster.isPrimary) printStart(started);
  else reportStart(started);
  logger.info({ signal: await interrupts.stopRequested }, 'Stopping');
  await host.stop();
  return true;
}

/** Runs the host in several processes until a stop is requested. Resolves with whether all of them stopped in time. */
async function runProcesses(): Promise<boolean> {
  const processes = new HostProcesses(
    {
      DATABASE_URL: database.url,
      // One for all, also for those that replace others.
      OPS_ADMIN_TOKEN: environment.adminToken ?? newToken('admin'),
    },
    logger,
  );
  const stopRequested = interrupts.stopRequested.then(() => null);
  try {
    const started = await Promise.race([processes.start(environment.processes), stopRequested]);
    if (started) printStart(started);
  } catch (error) {
    await processes.stop();
    throw error;
  }
  logger.info({ signal: await interrupts.stopRequested }, 'Stopping');
  return processes.stop();
}

async function describe(host: RunningHost): Promise<StartedHost> {
  const { admin, secondAdmin, pluginActive, url } = host;
  return {
    url,
    pluginActive,
    adminToken: admin?.token ?? null,
    secondAdminToken: secondAdmin?.token ?? null,
    loginUrl: admin && (await host.createLoginUrl()),
  };
}

function printStart(started: StartedHost): void {
  console.log(
    startMessage(started, {
      tokenGenerated: !environment.adminToken,
      database: database.name,
      loopbackOnly: ['127.0.0.1', '::1', 'localhost'].includes(environment.listen),
    }),
  );
}

function environmentOrExit(): HostEnvironment {
  try {
    return readEnvironment(process.env);
  } catch (error) {
    console.error((error as Error).message);
    process.exit(1);
  }
}

async function embeddedDatabase(
  dataDir: string,
): Promise<{ url: string; name: string; stop: () => Promise<void> }> {
  const folder = path.join(dataDir, 'postgres');
  const server = await startEmbeddedPostgres({
    dataDir: folder,
    persistent: true,
    onCrash: (report) => logger.fatal(`The embedded database exited unexpectedly:\n${report}`),
  });
  return {
    url: server.connectionString(),
    name: `embedded PostgreSQL in ${folder}`,
    stop: () => server.stop(),
  };
}
