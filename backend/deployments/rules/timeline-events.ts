/** Creates every entry of the timeline, with its type, actor and data. */
import type { AdminCaller } from '../../kernel/admin-caller.ts';
import type { NewEvent } from '../../audit/event.ports.ts';
import type { EventType, StatusBreakdown } from '../../contract/admin-api.ts';
import type { Deployment, Target, GoneReason } from '../model/deployment.types.ts';
import { SYSTEM, type Actor } from '../../audit/actor.ts';

type Owner = Pick<Deployment, 'id' | 'organizationId'>;

function event(
  { id, organizationId }: Owner,
  type: EventType,
  actor: Actor,
  data: Record<string, unknown>,
  deviceId?: string,
): NewEvent {
  return {
    organizationId,
    deploymentId: id,
    type,
    actor,
    data,
    ...(deviceId !== undefined && { deviceId }),
  };
}

/** The admin as an actor of the timeline. */
export function actorOf(admin: AdminCaller): Actor {
  return { type: 'admin', id: admin.userId, name: admin.name, address: admin.address };
}

const byDevice = (deviceId: string): Actor => ({ type: 'device', id: deviceId, name: null });

/** Actions of admins; a scheduled start has the system as its actor. */
export const actionEvents = {
  created: (owner: Owner, actor: Actor, devices: number, targetVersion: string) =>
    event(owner, 'created', actor, { devices, target_version: targetVersion }),
  started: (owner: Owner, actor: Actor) => event(owner, 'started', actor, {}),
  paused: (owner: Owner, actor: Actor) => event(owner, 'paused', actor, { reason: 'admin' }),
  resumed: (owner: Owner, actor: Actor, acceptedFailures: number) =>
    event(owner, 'resumed', actor, { accepted_failures: acceptedFailures }),
  cancelled: (owner: Owner, actor: Actor, skippedDevices: number) =>
    event(owner, 'cancelled', actor, { skipped_devices: skippedDevices }),
  expanded: (owner: Owner, actor: Actor, percentage: number, devices: number) =>
    event(owner, 'expanded', actor, { percentage, devices }),
  retried: (owner: Owner, actor: Actor, devices: number) =>
    event(owner, 'retried', actor, { devices }),
  rollbackRequested: (owner: Owner, actor: Actor, deviceId: string, version: string) =>
    event(owner, 'rollback_requested', actor, { version }, deviceId),
  rollbackCancelled: (owner: Owner, actor: Actor, deviceId: string, version: string) =>
    event(owner, 'rollback_withdrawn', actor, { version }, deviceId),
};

/** Automatic changes of a deployment. */
export const rolloutEvents = {
  batchReleased: (owner: Owner, batch: { number: number; size: number }) =>
    event(owner, 'batch_released', SYSTEM, { batch: batch.number, devices: batch.size }),
  pausedByFailures: (owner: Owner, failures: number, thresholdPercent: number | null) =>
    event(owner, 'paused', SYSTEM, {
      reason: 'failure_threshold',
      failures,
      threshold_percent: thresholdPercent,
    }),
  finished: (owner: Owner, status: 'completed' | 'failed', breakdown: StatusBreakdown) =>
    event(owner, status, SYSTEM, { ...breakdown }),
  superseded: (older: Owner, newer: Owner, devices: number) =>
    event(older, 'devices_skipped', SYSTEM, {
      reason: 'superseded',
      by_deployment_id: newer.id,
      devices,
    }),
};

/** Changes of a single device. Completions have no entry, since a million of them would flood the timeline. */
export const deviceEvents = {
  failed: (owner: Owner, { deviceId, attempt, errorMessage }: Target) =>
    event(
      owner,
      'device_failed',
      byDevice(deviceId),
      { attempt, error_message: errorMessage },
      deviceId,
    ),
  rolledBack: (owner: Owner, target: Target, version: string | null) =>
    event(
      owner,
      'device_rolled_back',
      byDevice(target.deviceId),
      {
        attempt: target.attempt,
        error_message: target.errorMessage,
        ...(version !== null && { version }),
        on_request: target.rolledBackOnRequest,
      },
      target.deviceId,
    ),
  rollbackFailed: (owner: Owner, { deviceId, rollbackVersion }: Target, reason: string) =>
    event(
      owner,
      'rollback_failed',
      byDevice(deviceId),
      { version: rollbackVersion, error_message: reason },
      deviceId,
    ),
  timedOut: (owner: Owner, { deviceId, status, attempt }: Target, minutes: number) =>
    event(owner, 'device_timed_out', SYSTEM, { last_status: status, minutes, attempt }, deviceId),
  skipped: (owner: Owner, { deviceId }: Target, reason: GoneReason | 'not_checked_in') =>
    event(owner, 'devices_skipped', SYSTEM, { reason, devices: 1 }, deviceId),
  rollbackDropped: (owner: Owner, { deviceId, rollbackVersion }: Target, reason: GoneReason) =>
    event(owner, 'rollback_withdrawn', SYSTEM, { version: rollbackVersion, reason }, deviceId),
  /** @param owner the newest deployment that finished on the device */
  versionChangedOutside: (owner: Owner, deviceId: string, version: string, recorded: string) =>
    event(
      owner,
      'version_changed_outside',
      byDevice(deviceId),
      { version, recorded_version: recorded },
      deviceId,
    ),
};
