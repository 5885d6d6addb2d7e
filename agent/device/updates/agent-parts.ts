/** What the pieces of a running agent share. */
import type { Logger } from 'pino';
import type { LaunchedAs } from '../../handoff/launched-as.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { HttpClient } from '../network/http-client.ts';
import type { Journal } from '../state/journal.ts';
import type { Outbox } from '../reports/outbox.ts';
import type { LiveCredentials } from '../state/live-credentials.ts';
import type { ServerApi } from '../network/server-api.ts';

export interface AgentParts {
  config: AgentConfig;
  journal: Journal;
  outbox: Outbox;
  api: ServerApi;
  http: HttpClient;
  logger: Logger;
  registration: LiveCredentials;
  /** `null` when no launcher started this agent. */
  launch: LaunchedAs | null;
  /** Aborted with `AgentStopping` when the agent has to stop. */
  stopping: AbortSignal;
}
