import type { OpenTarget } from '../../backend/deployments/rules/poll-decision.ts';

/** A released pending target of a deployment that is in progress; a later `day` is a newer deployment. */
export function openTarget(day: number, some: Partial<OpenTarget> = {}): OpenTarget {
  return {
    deploymentId: `deployment of day ${day}`,
    status: 'pending',
    attempt: 1,
    position: 3,
    rollbackVersion: null,
    deploymentStatus: 'in_progress',
    releasedDevices: 10,
    createdAt: new Date(Date.UTC(2026, 0, day)),
    ...some,
  };
}
