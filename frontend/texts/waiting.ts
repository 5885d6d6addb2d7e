/** What a device waits for before or during its update, and what ends the wait. */
import type { WaitingReason } from '../../backend/contract/states.ts';

const label: Record<WaitingReason, string> = {
  deployment_not_started: 'Start',
  scheduled: 'Scheduled start',
  paused: 'Resume',
  failure_threshold: 'Resume (failures)',
  batch: 'Its batch',
  expansion: 'Expansion',
  other_update: 'Another update',
  not_seen: 'Not checking in',
  offered: 'Next check-in',
  rebooting: 'Restart',
  deployment_ended: 'To be skipped',
};

const sentence: Record<WaitingReason, string> = {
  deployment_not_started:
    'The deployment has not started. The device waits until an admin starts it.',
  scheduled: '',
  paused: 'The deployment is paused. The device waits until an admin resumes it.',
  failure_threshold:
    'Too many devices failed, so the deployment paused. The device waits until an admin resumes it.',
  batch:
    'The batch of this device has not been released. It is released when every device of the batch before has finished.',
  expansion:
    'The device is not part of the canary. It waits until an admin expands the deployment.',
  other_update: 'The device gets another update first.',
  not_seen:
    'The device has not been heard from for a while. Its update continues when it checks in.',
  offered: 'The device gets the update the next time it checks in.',
  rebooting: 'The device is restarting. The update completes when the new system is healthy.',
  deployment_ended: 'The deployment has ended, so the device is about to be skipped.',
};

export const waiting = {
  label,
  updatingLabel: 'Device to finish',
  sentence,
  scheduled: (when: string | null) =>
    when === null
      ? 'The deployment starts automatically at its scheduled time.'
      : `The deployment starts automatically ${when}.`,
  updating: 'The device is updating.',
  updatingPaused:
    'The deployment is paused, but the device finishes its update. If it is interrupted, it waits until an admin resumes the deployment.',
  updatingEnded:
    'The deployment has ended. The device finishes its update, or is skipped when it checks in.',
  failsAt: (when: string) => `It counts as failed ${when} if it sends no report.`,
  skippedAt: (when: string) => `It is skipped ${when} if it does not check in.`,
  /** Before the name of the other deployment. */
  other: ' It is in',
  since: 'since',
  filter: 'Waiting for',
  all: 'Waiting: any',
};
