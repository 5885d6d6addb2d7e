import type { WaitingFor } from '../../contract/admin-api.ts';
import {
  explainWaiting,
  type DeviceContact,
  type Waiting,
  type WaitingTarget,
} from '../rules/waiting.ts';

/** A target and the names that its explanation mentions. */
export interface NamedTarget extends WaitingTarget {
  deploymentName: string;
  targetVersion: string;
}

/** Everything about a device that its explanations depend on. */
export interface DeviceSituation {
  /** Its open targets in its organization. */
  open: NamedTarget[];
  contact: DeviceContact;
}

/** What each unfinished target of a device waits for, by the id of the deployment. */
export function waitingForOf(
  { open, contact }: DeviceSituation,
  silenceMs: number,
): Map<string, WaitingFor> {
  return new Map(
    [...explainWaiting(open, contact, silenceMs)].map(([target, waiting]) => [
      target.deploymentId,
      toWaitingFor(waiting),
    ]),
  );
}

function toWaitingFor({ reason, since, until, other }: Waiting<NamedTarget>): WaitingFor {
  return {
    reason,
    since: since?.toISOString() ?? null,
    until: until?.toISOString() ?? null,
    other_deployment: other && {
      deployment_id: other.deploymentId,
      deployment_name: other.deploymentName,
      target_version: other.targetVersion,
    },
  };
}
