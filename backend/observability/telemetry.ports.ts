import type { DeploymentStatus, TargetStatus } from '../contract/states.ts';
import { token } from '../kernel/token.ts';

/** A request that was answered, or whose client went before. */
export interface CompletedRequest {
  area: 'admin' | 'device';
  method: string;
  /** As it was mounted, e.g. `/deployments/:id`; `none`: refused before a route took it. */
  route: string;
  status: number;
  seconds: number;
}

/**
 * What services tell of their work, for whoever watches the product. Every method is called where
 * thousands of requests a second pass: it adds to a number and returns, and it never throws.
 */
export interface Telemetry {
  /** A poll was answered. */
  polled(answer: 'nothing' | 'update' | 'rollback'): void;
  /** Follows a report until its counters are committed or it is refused; gives the outcome back. */
  trackReport<T>(status: TargetStatus, outcome: Promise<T>): Promise<T>;
  /** So many calls shared one round trip to the database. */
  coalesced(what: 'polls' | 'reports', calls: number): void;
  /** Single targets came to an end, by a report, a time limit or a newer deployment; committed. */
  targetsFinished(statuses: TargetStatus[]): void;
  /** A batch of so many targets was released; committed. */
  batchReleased(targets: number): void;
  /** A deployment was completed, failed or paused without anybody's doing; committed. */
  deploymentSettled(status: DeploymentStatus): void;
  requestCompleted(request: CompletedRequest): void;
  jobFinished(job: string, outcome: 'done' | 'failed', seconds: number): void;
}
export const Telemetry = token<Telemetry>('Telemetry');
