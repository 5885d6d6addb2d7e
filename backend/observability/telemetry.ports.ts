import type { DeploymentStatus, TargetStatus } from '../contract/states.ts';
import { token } from '../kernel/token.ts';

/** A request whose response has been sent, or whose client has disconnected. */
export interface CompletedRequest {
  area: 'admin' | 'device';
  method: string;
  /** The route as mounted, e.g. `/deployments/:id`; `none`: rejected before it matched a route. */
  route: string;
  status: number;
  seconds: number;
}

/**
 * Records metrics. Methods may be called thousands of times a second, so they only increment numbers, and they never
 * throw.
 */
export interface Telemetry {
  /** A poll was answered. */
  polled(answer: 'none' | 'update' | 'rollback'): void;
  /** Measures a report until it is committed or rejected. Returns `outcome` unchanged. */
  trackReport<T>(status: TargetStatus, outcome: Promise<T>): Promise<T>;
  /** A number of calls shared one database round trip. */
  coalesced(kind: 'polls' | 'reports', calls: number): void;
  /** The last polls of a number of devices were not recorded. */
  lastPollsDropped(devices: number): void;
  /** Targets finished by a report, a timeout or a newer deployment. Call it after the commit. */
  targetsFinished(statuses: TargetStatus[]): void;
  /** A batch of `targets` targets was released. Call it after the commit. */
  batchReleased(targets: number): void;
  /** A deployment completed, failed, or was paused by the failure threshold. Call it after the commit. */
  deploymentSettled(status: DeploymentStatus): void;
  requestCompleted(request: CompletedRequest): void;
  jobFinished(job: string, outcome: 'done' | 'failed', seconds: number): void;
}
export const Telemetry = token<Telemetry>('Telemetry');
