import type { WaitingFor } from '../../backend/contract/admin-api.ts';
import type { TargetStatus, WaitingReason } from '../../backend/contract/states.ts';
import { formatRelative } from '../shared/format.ts';
import type { IconName } from '../shared/icons.ts';
import type { Tone } from '../shared/statuses.ts';
import { texts } from '../texts/texts.ts';
import { isUpdating } from './target-actions.ts';

export interface WaitingDescription {
  tone: Tone;
  icon: IconName;
  /** Why the device waits, what ends the wait, and what happens otherwise. */
  sentence: string;
}

const STYLE: Record<WaitingReason, { tone: Tone; icon: IconName }> = {
  deployment_not_started: { tone: 'neutral', icon: 'play' },
  scheduled: { tone: 'neutral', icon: 'clock' },
  paused: { tone: 'warning', icon: 'pause' },
  failure_threshold: { tone: 'danger', icon: 'alert' },
  batch: { tone: 'neutral', icon: 'layers' },
  expansion: { tone: 'neutral', icon: 'expand' },
  other_update: { tone: 'neutral', icon: 'package' },
  not_seen: { tone: 'warning', icon: 'cloudOff' },
  offered: { tone: 'info', icon: 'device' },
  rebooting: { tone: 'info', icon: 'progress' },
  deployment_ended: { tone: 'muted', icon: 'ban' },
};

/** Reasons that mean something else while the device is updating: it is the device that is waited for. */
const WHILE_UPDATING: Partial<Record<WaitingReason, string>> = {
  offered: texts.waiting.updating,
  paused: texts.waiting.updatingPaused,
  failure_threshold: texts.waiting.updatingPaused,
  deployment_ended: texts.waiting.updatingEnded,
};

/** The reason in two or three words, for the table. */
export function waitingLabel(status: TargetStatus, { reason }: Pick<WaitingFor, 'reason'>): string {
  const t = texts.waiting;
  return isUpdating({ status }) && WHILE_UPDATING[reason] ? t.updatingLabel : t.label[reason];
}

/** @param status of the target, which is unfinished */
export function describeWaiting(
  status: TargetStatus,
  { reason, until }: WaitingFor,
  now: Date,
): WaitingDescription {
  const t = texts.waiting;
  const when = until === null ? null : formatRelative(new Date(until), now);
  if (reason === 'scheduled') return { ...STYLE[reason], sentence: t.scheduled(when) };
  const updating = isUpdating({ status });
  const sentence = (updating && WHILE_UPDATING[reason]) || t.sentence[reason];
  const end = when !== null && (updating ? t.failsAt(when) : t.skippedAt(when));
  return { ...STYLE[reason], sentence: end ? `${sentence} ${end}` : sentence };
}
