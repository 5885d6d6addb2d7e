#!/usr/bin/env node
/** The command `ota-server` (docs/server.md). */
import { setTimeout as sleep } from 'node:timers/promises';
import { format, stripVTControlCharacters } from 'node:util';

import { Command } from 'commander';
import { destination, pino, type Logger } from 'pino';

import { catchInterrupts } from './host/interrupts.ts';
import { LOG_OPTIONS } from './host/log-options.ts';
import { startServer } from './server.ts';
import {
  givenSettings,
  InvalidSettingsError,
  validSettings,
  type ServerSettings,
} from './settings/settings.ts';
import { prepareTrial, type Trial } from './trial.ts';

/** After this the process exits even if the server has not stopped. */
const STOP_LIMIT_MS = 12_000;

const program = new Command('ota-server')
  .description('Serves OTA Deployments beside an Ops-Center that loads no Node plugins')
  .option('--config <file>', 'JSON file with settings; environment variables take precedence')
  .option('--check', 'validate the settings and exit', false)
  .option(
    '--try',
    'a trial: PostgreSQL of its own and tables of Ops-Center where they are missing, no Redis needed',
    false,
  )
  .option('--data-dir <folder>', 'where --try stores its database', '.ota-server')
  .addHelpText('after', '\nSettings: docs/server.md');
program.parse();

interface Options {
  config?: string;
  check: boolean;
  try: boolean;
  dataDir: string;
}

const options = program.opts<Options>();
const interrupts = catchInterrupts();
process.exitCode = await main();
if (process.exitCode !== 0) process.exit();

/** @returns the exit status: 0, 1 if the server failed, 2 if the settings are not valid */
async function main(): Promise<number> {
  let trial: Trial | null = null;
  let logger: Logger | null = null;
  try {
    const given = givenSettings(process.env, options.config);
    trial = options.try ? await prepareTrial(given.values, options.dataDir) : null;
    const settings = validSettings(given, trial?.defaults);
    if (options.check) {
      process.stdout.write('The settings are valid.\n');
      return 0;
    }
    logger = pino({ ...LOG_OPTIONS, level: settings.logLevel }, destination({ fd: 1, sync: true }));
    logConsole(logger);
    return (await serve(settings, logger, trial)) ? 0 : 1;
  } catch (error) {
    if (error instanceof InvalidSettingsError) {
      process.stderr.write(`${error.message}\n`);
      return 2;
    }
    if (logger) logger.fatal({ err: error }, 'ota-server failed to start');
    else process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  } finally {
    await trial?.stop();
  }
}

/** Libraries print warnings, e.g. about lost connections, which would stand between the JSON lines. */
function logConsole(logger: Logger): void {
  const log = logger.child({ component: 'console' });
  const warn = (...values: unknown[]): void =>
    log.warn(stripVTControlCharacters(format(...values)));
  Object.assign(console, { log: warn, info: warn, warn, error: warn });
}

/** Serves until a stop is requested. Resolves with whether everything stopped in time. */
async function serve(
  settings: ServerSettings,
  logger: Logger,
  trial: Trial | null,
): Promise<boolean> {
  // An unhandled rejection in the plugin must not take the server down.
  process.on('unhandledRejection', (reason) => {
    logger.error({ err: reason }, 'Unhandled rejection');
  });
  await trial?.createTables(settings);
  const server = await startServer(settings, logger);
  if (!server.pluginActive) {
    await server.stop();
    // It is not activated later, so a supervisor has to start the process again.
    throw new Error('The plugin could not be activated; the reason is logged above.');
  }
  logger.info(
    { role: settings.role, url: server.url, public_url: settings.publicUrl.href },
    'ota-server is running',
  );
  if (trial) process.stderr.write(trial.message(settings));
  logger.info({ signal: await interrupts.stopRequested }, 'Stopping');
  const stopped = await Promise.race([
    server.stop().then(() => true),
    interrupts.forceStopRequested.then(() => false),
    sleep(STOP_LIMIT_MS, false, { ref: false }),
  ]);
  logger.info(stopped ? 'Stopped' : 'Exiting before everything has stopped');
  return stopped;
}
