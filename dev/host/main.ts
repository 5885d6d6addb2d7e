/** `npm start`: the stand-in for Ops-Center, with the plugin of this package. */
import path from 'node:path';

import { destination, pino } from 'pino';

import { startEmbeddedPostgres } from '../database/embedded-postgres.ts';
import { readEnvironment, type HostEnvironment } from './environment.ts';
import { startHost } from './host.ts';
import { LOG_OPTIONS } from './log-options.ts';
import { startMessage } from './start-message.ts';

const PLUGIN_ROOT = path.resolve(import.meta.dirname, '..', '..');
/** The host stops within this, or is ended. */
const EXIT_LIMIT_MS = 10_000;

const environment = environmentOrExit();
const logger = pino(
  { ...LOG_OPTIONS, level: environment.logLevel },
  destination({ fd: 2, sync: true }),
);
const signal = firstSignal();

const database = environment.databaseUrl
  ? { url: environment.databaseUrl, name: 'the one of DATABASE_URL', stop: () => Promise.resolve() }
  : await embeddedDatabase(environment.dataDir);
try {
  const host = await startHost({
    ...environment,
    logger,
    databaseUrl: database.url,
    pluginRoot: PLUGIN_ROOT,
  });
  // A fault of the plugin that nobody waits for must not take the host down.
  process.on('unhandledRejection', (reason) => {
    logger.error({ err: reason }, 'Something failed and nobody took care of it');
  });
  console.log(
    await startMessage(host, {
      tokenWasMade: !environment.adminToken,
      database: database.name,
      onlyThisMachine: ['127.0.0.1', '::1', 'localhost'].includes(environment.listen),
    }),
  );
  logger.info({ signal: await signal }, 'Stopping');
  await host.stop();
  logger.info('Stopped');
} catch (error) {
  logger.fatal({ err: error }, 'Ops-Center could not start');
  process.exitCode = 1;
} finally {
  await database.stop();
}

function environmentOrExit(): HostEnvironment {
  try {
    return readEnvironment(process.env);
  } catch (error) {
    console.error((error as Error).message);
    process.exit(1);
  }
}

/** A second signal ends the process at once. */
function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let stopping = false;
    const onSignal = (name: NodeJS.Signals): void => {
      if (stopping) process.exit(1);
      stopping = true;
      setTimeout(() => process.exit(1), EXIT_LIMIT_MS).unref();
      resolve(name);
    };
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  });
}

async function embeddedDatabase(
  dataDir: string,
): Promise<{ url: string; name: string; stop: () => Promise<void> }> {
  const folder = path.join(dataDir, 'postgres');
  const server = await startEmbeddedPostgres({
    dataDir: folder,
    persistent: true,
    onCrash: (report) => logger.fatal(`The embedded database ended by itself:\n${report}`),
  });
  return {
    url: server.connectionString(),
    name: `embedded PostgreSQL in ${folder}`,
    stop: () => server.stop(),
  };
}
