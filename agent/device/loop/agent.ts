/** What the agent is made of, put together. */
import type { Logger } from 'pino';
import type { LaunchedAs } from '../../handoff/launched-as.ts';
import { createBootAdapter } from '../boot/create-boot-adapter.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { HttpClient } from '../network/http-client.ts';
import { type DeviceDescription, type ServerApi, createServerApi } from '../network/server-api.ts';
import type { Outbox } from '../reports/outbox.ts';
import type { Journal } from '../state/journal.ts';
import type { LiveCredentials } from '../state/live-credentials.ts';
import { AgentTrial } from '../updates/agent-trial.ts';
import { Cleanup } from '../updates/cleanup.ts';
import { describeDevice } from '../updates/device-description.ts';
import { Finish } from '../updates/finish.ts';
import { HealthRuns } from '../updates/health-runs.ts';
import { Installation } from '../updates/installation.ts';
import { Preparation } from '../updates/preparation.ts';
import { Recovery } from '../updates/recovery.ts';
import { RequestedRollback } from '../updates/requested-rollback.ts';
import { Reboot } from '../updates/reboot.ts';
import { Restoration } from '../updates/restoration.ts';
import { ServerContact } from '../updates/server-contact.ts';
import { UpdateDriver } from '../updates/update-driver.ts';
import { Cycle } from './cycle.ts';
import { PollLoop } from './poll-loop.ts';

/** What a session has opened, and closes again. */
export interface Opened {
  config: AgentConfig;
  journal: Journal;
  outbox: Outbox;
  http: HttpClient;
  registration: LiveCredentials;
  /** `null` when no launcher started this agent. */
  launch: LaunchedAs | null;
  logger: Logger;
  /** Aborted with `AgentStopping` when the agent has to stop. */
  stopping: AbortSignal;
}

export interface Agent {
  api: ServerApi;
  outbox: Outbox;
  recovery: Recovery;
  agentTrial: AgentTrial;
  reboot: Reboot;
  cycle: Cycle;
  pollLoop: PollLoop;
}

export function createAgent(opened: Opened): Agent {
  const { config, journal, outbox, http, registration, launch, logger, stopping } = opened;
  const { state_dir: stateDir } = config;
  const api = createServerApi(http, () => registration.current);
  const bootAdapter = createBootAdapter(config.boot, config.reboot.max_boots);
  const describe = (): Promise<DeviceDescription> => describeDevice(config, bootAdapter);
  const contact = new ServerContact(api, describe, config, logger);
  const healthRuns = new HealthRuns(config, journal, stopping);
  const cleanup = new Cleanup(stateDir, journal, logger);
  const finish = new Finish(stateDir, journal, outbox, cleanup, logger);
  const reboot = new Reboot(config, journal, bootAdapter, stopping);
  const restoration = new Restoration(config, journal, outbox, healthRuns, reboot);
  const agentTrial = new AgentTrial(config, journal, launch, contact, logger, stopping);
  const updates = new UpdateDriver(
    stateDir,
    journal,
    { config, outbox, api, stopping },
    new Preparation(config, api, http, registration, contact, reboot, healthRuns, logger, stopping),
    new Installation(config, journal, healthRuns, contact, agentTrial, reboot, logger, stopping),
    restoration,
    finish,
    logger,
  );
  const rollbacks = new RequestedRollback(config, journal, outbox, restoration, finish, stopping);
  const cycle = new Cycle(
    config,
    journal,
    outbox,
    api,
    describe,
    updates,
    rollbacks,
    cleanup,
    logger,
    stopping,
  );
  return {
    api,
    outbox,
    recovery: new Recovery(config, journal, cleanup, logger),
    agentTrial,
    reboot,
    cycle,
    pollLoop: new PollLoop(config, cycle, outbox, registration, logger, stopping),
  };
}
