#!/usr/bin/env node
/** The command `ota-agent`. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Logger } from 'pino';
import { type AdoptOptions, adopt } from './adopt-command.ts';
import { type AgentConfig, DEFAULT_CONFIG_PATH, loadConfig } from '../config/agent-config.ts';
import { LockHeld } from '../../files/lock.ts';
import { isDiskFull } from '../../files/reserve.ts';
import { StepFailure, UsageError, messageOf } from '../../kernel/errors.ts';
import { EXIT, type ExitCode } from '../../kernel/exit-codes.ts';
import { showOrImportKeyring } from './keyring-command.ts';
import { createLogger, logFault } from '../../logging/logger.ts';
import { ServerUnreachable } from '../network/http-client.ts';
import { BUILD_VERSION } from './build-version.ts';
import { type RegisterOptions, register } from './register-command.ts';
import { runOnce, runSession } from '../loop/session.ts';
import { describeStatus, isConnected, readStatus, waitUntilConnected } from './status.ts';

const MAX_WAIT_SECONDS = 3_600;

const program = new Command('ota-agent')
  .description('Keeps this device up to date from Ops-Center')
  .version(BUILD_VERSION)
  .configureHelp({ showGlobalOptions: true })
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? EXIT.ok : EXIT.usage))
  .addOption(
    new Option('--config <path>', 'configuration file')
      .env('OTA_AGENT_CONFIG')
      .default(DEFAULT_CONFIG_PATH),
  );

program
  .command('register')
  .description('register this device at Ops-Center and store its credentials')
  .option('--server <url>', 'address of Ops-Center (default: server.url of the configuration)')
  .addOption(
    new Option('--token <token>', 'registration token from Ops-Center')
      .env('OTA_REGISTRATION_TOKEN')
      .makeOptionMandatory(),
  )
  .option('--hardware-id <id>', 'id of the hardware (default: machine id, else MAC address)')
  .option('--name <name>', 'name of the device in Ops-Center')
  .option('--firmware-version <version>', 'the version installed now')
  .option('--force', 'replace an earlier registration')
  .action((options: RegisterOptions) => command((config) => register(config, options)));

program
  .command('adopt')
  .description('take over a device that another agent has registered')
  .argument('<file>', 'JSON with the device_id and auth_token that Ops-Center issued to the device')
  .requiredOption('--installed-version <version>', 'the version installed now')
  .option('--server <url>', 'address of Ops-Center (default: server.url of the configuration)')
  .option('--hardware-id <id>', 'id of the hardware (default: machine id, else MAC address)')
  .option('--force', 'replace the registration of another device')
  .action((file: string, options: AdoptOptions) =>
    command((config, logger) => adopt(config, file, options, logger)),
  );

program
  .command('run')
  .description('poll and update until stopped')
  .action(() => command((config, logger) => runSession(config, logger)));

program
  .command('once')
  .description('poll once and carry out what is offered; the exit code is the result')
  .action(() => command((config, logger) => runOnce(config, logger)));

program
  .command('status')
  .description('show the state of this device and its agent')
  .option('--json', 'as JSON')
  .option(
    '--wait <seconds>',
    'wait up to this long for a running agent that has an answer from the server; exit code 3 if there is none',
    positiveSeconds,
  )
  .action((options: { json?: boolean; wait?: number }) =>
    command(async (config) => {
      const status =
        options.wait === undefined
          ? await readStatus(config)
          : await waitUntilConnected(config, options.wait);
      console.log(options.json ? JSON.stringify(status, null, 2) : describeStatus(status));
      return options.wait === undefined || isConnected(status) ? EXIT.ok : EXIT.serverUnreachable;
    }),
  );

program
  .command('keyring')
  .description('show which keys may sign packages; with a file, import a signed keyring first')
  .argument('[file]', 'signed keyring, made by ota keyring sign')
  .action((file: string | undefined) => command((config) => showOrImportKeyring(config, file)));

function positiveSeconds(text: string): number {
  const seconds = Number(text);
  if (seconds > 0 && seconds <= MAX_WAIT_SECONDS) return seconds;
  throw new InvalidArgumentError(`It must be between 0 and ${MAX_WAIT_SECONDS} seconds.`);
}

async function command(
  action: (config: AgentConfig, logger: Logger) => Promise<ExitCode>,
): Promise<void> {
  const { config: path } = program.opts<{ config: string }>();
  const logger = createLogger();
  process.on('uncaughtException', (error) => {
    logFault(logger, error, 'unexpected fault');
    process.exit(EXIT.unexpected);
  });
  try {
    const config = await loadConfig(path);
    logger.level = config.log_level;
    process.exitCode = await action(config, logger);
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(error.message);
      process.exitCode = error.exitCode;
    } else if (error instanceof LockHeld) {
      console.error(`${error.message}.`);
      process.exitCode = EXIT.locked;
    } else if (error instanceof ServerUnreachable) {
      console.error(messageOf(error));
      process.exitCode = EXIT.serverUnreachable;
    } else if (error instanceof StepFailure || isDiskFull(error)) {
      console.error(messageOf(error));
      process.exitCode = EXIT.unexpected;
    } else {
      logFault(logger, error, 'unexpected fault');
      process.exitCode = EXIT.unexpected;
    }
  }
}

void program.parseAsync();
