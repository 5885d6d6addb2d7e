/** `npm start`: the stand-in for Ops-Center, with the plugin of this package. */
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';

import { destination, pino } from 'pino';

import { startEmbeddedPostgres } from '../database/embedded-postgres.ts';
import { takeInterrupts } from '../interrupts.ts';
import { readEnvironment, type HostEnvironment } from './environment.ts';
import { startHost } from './host.ts';
import { LOG_OPTIONS } from './log-options.ts';
import { startMessage } from './start-message.ts';

const PLUGIN_ROOT = path.resolve(import.meta.dirname, '..', '..');
/** The host stops within this, or is ended; its database is stopped in any case. */
const STOP_LIMIT_MS = 10_000;

const environment = environmentOrExit();
const logger = pino(
  { ...LOG_OPTIONS, level: environment.logLevel },
  destination({ fd: 2, sync: true }),
);
const interrupts = takeInterrupts();

const database = environment.databaseUrl
  ? { url: environment.databaseUrl, name: 'the one of DATABASE_URL', stop: () => Promise.resolve() }
  : await embeddedDatabase(environment.dataDir);
let hasStopped = true;
try {
  hasStopped = await Promise.race([
    operate().then(() => true),
    interrupts.insisted.then(() => false),
    interrupts.asked.then(() => setTimeout(STOP_LIMIT_MS, false, { ref: false })),
  ]);
  logger.info(hasStopped ? 'Stopped' : 'Ended before everything had stopped');
} catch (error) {
  logger.fatal({ err: error }, 'Ops-Center could not start');
  process.exitCode = 1;
} finally {
  await database.stop();
}
// Something that does not end must not keep the process.
if (!hasStopped) process.exit(1);

/** From the start to the stop that somebody asks for. */
async function operate(): Promise<void> {
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
  logger.info({ signal: await interrupts.asked }, 'Stopping');
  await host.stop();
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
    onCrash: (report) => logger.fatal(`The embedded database ended by itself:\n${report}`),
  });
  return {
    url: server.connectionString(),
    name: `embedded PostgreSQL in ${folder}`,
    stop: () => server.stop(),
  };
}
