/** Errors with a meaning of their own. Everything else that is thrown in a step counts as its failure. */
import type { FailureCause } from '../../backend/contract/states.ts';

/** A step did not succeed; the message goes to the server and must make sense to an operator. */
export class StepFailure extends Error {
  override readonly name: string = 'StepFailure';

  /** @param failureCause what is reported as the cause; `null`: what a failure of the step usually means */
  constructor(
    message: string,
    readonly failureCause: FailureCause | null = null,
  ) {
    super(message);
  }
}

/** The cause that the error itself has; `null`: none. */
export function failureCauseOf(error: unknown): FailureCause | null {
  return error instanceof StepFailure ? error.failureCause : null;
}

/** The agent has to stop (SIGTERM, SIGINT); the journal records where to continue. */
export class AgentStopping extends Error {
  override readonly name: string = 'AgentStopping';
  constructor() {
    super('the agent was told to stop');
  }
}

/** The launcher has to start the new agent; the journal is at the step `trial`. */
export class AgentHandoff extends AgentStopping {
  override readonly name = 'AgentHandoff';
}

/** The server cancelled this attempt; possible only before `install.sh` starts. */
export class AttemptCancelled extends Error {
  override readonly name = 'AttemptCancelled';

  /** @param reportSkipped whether the server expects a `skipped` report: after `directive: abort` it does */
  constructor(
    message: string,
    readonly reportSkipped: boolean,
  ) {
    super(message);
  }
}

/** Not now: maintenance window, permission command, or a server or network that is away. Retried with every cycle. */
export class Deferred extends Error {
  override readonly name = 'Deferred';
}

/** Something the person who started the command has to fix; printed without a stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError';

  constructor(
    message: string,
    readonly exitCode: number,
  ) {
    super(message);
  }
}

/** With its causes; of an AggregateError (a connection tried at several addresses), each error. */
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
