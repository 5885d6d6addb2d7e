/** What `ota explain` says about a device. */
import type { DeviceExplanation, WaitingFor } from '../../../backend/contract/admin-api.ts';
import type { WaitingReason } from '../../../backend/contract/states.ts';
import { oneLine } from '../one-line.ts';

interface Sentence {
  why: string;
  end: string;
}

/** Why the device does not run the version yet, and what ends the wait. */
const REASONS: Record<WaitingReason, Sentence> = {
  deployment_not_started: {
    why: 'the deployment has not been started',
    end: 'Start the deployment.',
  },
  scheduled: { why: 'the deployment is scheduled', end: 'It starts by itself at that time.' },
  paused: { why: 'an admin paused the deployment', end: 'Resume the deployment.' },
  failure_threshold: {
    why: 'too many devices failed, so the deployment paused itself',
    end: 'Look at the failed devices, then resume or cancel the deployment.',
  },
  batch: {
    why: 'its batch has not been released',
    end: 'It is released when all devices of the batch before it have finished.',
  },
  expansion: {
    why: 'the canary has not been expanded to it',
    end: 'Expand the deployment.',
  },
  other_update: { why: 'it gets something else first', end: 'It gets this update after that.' },
  not_seen: {
    why: 'it is its turn, but it has not been heard of',
    end: 'Check its power, its network and its agent.',
  },
  offered: {
    why: 'it is its turn',
    end: 'It gets the update with its next poll.',
  },
  rebooting: { why: 'it is restarting', end: 'It reports its result after that.' },
  deployment_ended: {
    why: 'the deployment has ended',
    end: 'Nothing more is offered; it finishes an update that it has begun, or is skipped.',
  },
};

/** Why, since when, and what ends the wait; then when the device was last heard of. */
export function sentencesAbout(explanation: DeviceExplanation): string {
  const { last_polled_at: polled, last_seen: seen } = explanation;
  return [
    firstLine(explanation),
    `Last poll: ${polled ?? 'unknown'}. Last heartbeat: ${seen ?? 'unknown'}.`,
  ].join('\n');
}

function firstLine(explanation: DeviceExplanation): string {
  const { target_status: status, waiting_for: waiting } = explanation;
  const device = oneLine(explanation.device_name ?? explanation.device_id);
  if (status === null) return `${device} has no unfinished update.`;
  const update = `${oneLine(explanation.target_version)} (${oneLine(explanation.deployment_name)})`;
  if (!waiting) return `${device} has finished the update to ${update}: ${status}.`;
  if (waiting.reason === 'offered' && status !== 'pending') {
    return `${device} is updating to ${update}: ${status}${times(waiting)}.`;
  }
  // A later server may have more reasons.
  const known = REASONS as Partial<Record<string, Sentence>>;
  const { why, end } = known[waiting.reason] ?? { why: oneLine(waiting.reason), end: '' };
  return `${device} does not run ${update} yet: ${why}${other(waiting)}${times(waiting)}. ${end}`.trimEnd();
}

function other({ other_deployment: deployment }: WaitingFor): string {
  if (!deployment) return '';
  return `, ${oneLine(deployment.target_version)} (${oneLine(deployment.deployment_name)})`;
}

function times({ since, until }: WaitingFor): string {
  return `${since ? `, since ${since}` : ''}${until ? `, until ${until}` : ''}`;
}
