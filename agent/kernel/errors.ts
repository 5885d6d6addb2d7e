/** The ways an update can leave its path. Everything else that is thrown counts as a step's failure. */

/** A step did not succeed; the message goes to the server and must make sense to an operator. */
export class StepFailure extends Error {
  override readonly name = 'StepFailure';
}

/** The agent was told to stop (SIGTERM, SIGINT); the journal says where to go on. */
export class AgentStopping extends Error {
  override readonly name: string = 'AgentStopping';
  constructor() {
    super('the agent was told to stop');
  }
}

/** The launcher has to start the new agent; the journal is at the step `trial`. */
export class AgentHandingOver extends AgentStopping {
  override readonly name = 'AgentHandingOver';
}

/** The server does not want this attempt any more; possible only before `install.sh` starts. */
export class AttemptWithdrawn extends Error {
  override readonly name = 'AttemptWithdrawn';
  /** Whether the server expects a `skipped` report: after `directive: abort` it does. */
  readonly reportSkipped: boolean;
  constructor(message: string, reportSkipped: boolean) {
    super(message);
    this.reportSkipped = reportSkipped;
  }
}

/** The device's own rules (maintenance window, permission command) ask for patience. */
export class NotNow extends Error {
  override readonly name = 'NotNow';
}

/** Something the person who started the command has to put right; printed without a stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly exitCode: number;
  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** With its causes; of several errors at once (a connection tried by several addresses), each one. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${messageOf(error.cause)})` : '';
  return ownMessageOf(error) + cause;
}

function ownMessageOf(error: Error): string {
  if (!(error instanceof AggregateError)) return error.message || error.name;
  const inner = [...new Set(error.errors.map(messageOf))].join('; ');
  return [error.message, inner].filter(Boolean).join(': ') || error.name;
}
