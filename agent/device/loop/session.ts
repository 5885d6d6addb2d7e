/** Opens what a running agent needs, runs it, and closes everything again. */
import type { Logger } from 'pino';
import { takeLock } from '../../files/lock.ts';
import { onceLauncherIsGone, readLaunch } from '../../handoff/launched-as.ts';
import { AgentHandoff, AgentStopping, UsageError } from '../../kernel/errors.ts';
import { EXIT, type ExitCode } from '../../kernel/exit-codes.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { sendHeartbeats } from '../network/heartbeat.ts';
import { createHttpClient } from '../network/http-client.ts';
import { Outbox } from '../reports/outbox.ts';
import { type Credentials, readCredentials } from '../state/credentials.ts';
import { Journal } from '../state/journal.ts';
import { LiveCredentials } from '../state/live-credentials.ts';
import { type Agent, createAgent } from './agent.ts';
import { noteCycle } from './cycle-note.ts';
import type { CycleResult } from './cycle.ts';

/** How long `once` waits for its last reports before it leaves them to the next run. */
const LAST_REPORTS_MS = 30_000;

/** `ota-agent run`: runs until SIGTERM or SIGINT. */
export async function runSession(config: AgentConfig, logger: Logger): Promise<ExitCode> {
  return withAgent(config, logger, async ({ pollLoop }) => {
    await pollLoop.run();
    return EXIT.ok;
  });
}

/** `ota-agent once`: continues open work or polls once; the exit code is the result. */
export async function runOnce(config: AgentConfig, logger: Logger): Promise<ExitCode> {
  return withAgent(config, logger, async ({ cycle, outbox }) => {
    const result = await cycle.run();
    await noteCycle(config.state_dir, logger, result, null);
    if ('why' in result) logger.warn(`${result.kind}: ${result.why}`);
    if (!(await outbox.drained(LAST_REPORTS_MS))) {
      logger.warn({ waiting: outbox.size }, 'reports are left for the next run');
    }
    return exitCodeOf(result);
  });
}

function exitCodeOf(result: CycleResult): ExitCode {
  switch (result.kind) {
    case 'idle':
      return EXIT.ok;
    case 'cancelled':
      return EXIT.skipped;
    case 'deferred':
      return EXIT.deferred;
    case 'unfinished':
      return EXIT.failed;
    case 'no_answer':
      return EXIT.serverUnreachable;
    case 'ended':
      switch (result.end.status) {
        case 'completed':
          return EXIT.ok;
        case 'rolled_back':
          return EXIT.rolledBack;
        case 'skipped':
          return EXIT.skipped;
        case 'failed':
          return EXIT.failed;
      }
  }
}

async function withAgent(
  config: AgentConfig,
  logger: Logger,
  run: (agent: Agent) => Promise<ExitCode>,
): Promise<ExitCode> {
  const launch = readLaunch(process.env, config.state_dir);
  const credentials = await requireCredentials(config);
  await takeLock(config.state_dir);
  const stop = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    logger.info(`${name}: stopping at the next safe point`);
    stop.abort(new AgentStopping());
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  if (launch) {
    onceLauncherIsGone(() => {
      logger.warn('the launcher is gone: stopping at the next safe point');
      stop.abort(new AgentStopping());
    });
  }
  const http = await createHttpClient(config);
  const background = new AbortController();
  const registration = new LiveCredentials(
    config.state_dir,
    credentials,
    () => requireCredentials(config),
    logger,
  );
  const { journal, damaged } = await Journal.load(config.state_dir);
  const outbox = await Outbox.open(config.state_dir, logger);
  const stopping = stop.signal;
  const agent = createAgent({
    config,
    journal,
    outbox,
    http,
    registration,
    launch,
    logger,
    stopping,
  });
  const tasks: Promise<void>[] = [];
  try {
    await agent.recovery.recover(damaged);
    await agent.agentTrial.refuseTrialWithoutUpdate();
    tasks.push(agent.reboot.logReadiness(logger));
    tasks.push(outbox.deliver(agent.api, config.reports, logger, background.signal));
    if (config.heartbeat.enabled) {
      const interval = (): number =>
        config.heartbeat.interval_seconds ?? registration.current.heartbeat_interval;
      tasks.push(sendHeartbeats(agent.api, interval, logger, background.signal));
    }
    logger.info({ device: credentials.device_id, server: credentials.server_url }, 'agent started');
    return await run(agent);
  } catch (error) {
    if (error instanceof AgentHandoff) return EXIT.handoff;
    if (error instanceof AgentStopping) return EXIT.ok;
    throw error;
  } finally {
    registration.close();
    background.abort(new AgentStopping());
    await Promise.all(tasks);
    http.close();
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
    logger.info('agent stopped');
  }
}

async function requireCredentials(config: AgentConfig): Promise<Credentials> {
  const credentials = await readCredentials(config.state_dir);
  if (!credentials) {
    throw new UsageError(
      'This device is not registered. Run: ota-agent register --server URL --token REGISTRATION_TOKEN',
      EXIT.notRegistered,
    );
  }
  const configured = config.server.url;
  if (
    configured !== undefined &&
    new URL(configured).origin !== new URL(credentials.server_url).origin
  ) {
    throw new UsageError(
      `The device is registered at ${credentials.server_url}, but server.url in the configuration is ${configured}. ` +
        'Its token is not sent to another server: register there with --force, or correct server.url.',
      EXIT.usage,
    );
  }
  return credentials;
}
