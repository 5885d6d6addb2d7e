import type { DeploymentEvent, EventType } from '../../backend/contract/admin-api.ts';
import { FINISHED_TARGET_STATUSES } from '../../backend/contract/states.ts';
import { formatCount } from '../shared/format.ts';
import type { IconName } from '../shared/icons.ts';
import type { Tone } from '../shared/statuses.ts';
import { texts } from '../texts/texts.ts';
import { plainText } from '../target/logs/terminal-text.ts';

export const EVENT_STYLE: Record<EventType, { tone: Tone; icon: IconName }> = {
  created: { tone: 'neutral', icon: 'plus' },
  started: { tone: 'info', icon: 'play' },
  paused: { tone: 'warning', icon: 'pause' },
  resumed: { tone: 'info', icon: 'play' },
  cancelled: { tone: 'muted', icon: 'ban' },
  expanded: { tone: 'info', icon: 'expand' },
  retried: { tone: 'info', icon: 'refresh' },
  batch_released: { tone: 'info', icon: 'layers' },
  completed: { tone: 'success', icon: 'check' },
  failed: { tone: 'danger', icon: 'alert' },
  device_failed: { tone: 'danger', icon: 'alert' },
  device_rolled_back: { tone: 'warning', icon: 'undo' },
  device_timed_out: { tone: 'danger', icon: 'clock' },
  devices_skipped: { tone: 'muted', icon: 'skip' },
  rollback_requested: { tone: 'warning', icon: 'undo' },
  rollback_failed: { tone: 'danger', icon: 'alert' },
  rollback_withdrawn: { tone: 'neutral', icon: 'undo' },
  version_changed_outside: { tone: 'warning', icon: 'alert' },
};

/**
 * The data of an event in one line: "batch 2 · 36 devices · failure threshold exceeded". Values without a label
 * are left out, as are nested ones.
 */
export function describeEvent(event: Pick<DeploymentEvent, 'data'>): string {
  const t = texts.timeline;
  const parts: string[] = [];
  const { data } = event;
  if (typeof data['batch'] === 'number') parts.push(t.data.batch(String(data['batch'])));
  if (typeof data['percentage'] === 'number') {
    parts.push(t.data.percentage(String(data['percentage'])));
  }
  if (typeof data['devices'] === 'number') parts.push(t.data.devices(data['devices']));
  for (const name of ['target_version', 'version']) {
    if (typeof data[name] === 'string') parts.push(t.data.version(data[name]));
  }
  if (typeof data['failures'] === 'number' && typeof data['threshold_percent'] === 'number') {
    parts.push(t.data.failures(data['failures'], data['threshold_percent']));
  }
  for (const status of FINISHED_TARGET_STATUSES) {
    const count = data[status];
    if (typeof count === 'number' && count > 0) {
      parts.push(`${formatCount(count)} ${texts.status.target[status].toLowerCase()}`);
    }
  }
  for (const name of ['reason', 'error_message', 'message']) {
    const value = data[name];
    if (typeof value === 'string' && value !== '') parts.push(t.reason[value] ?? plainText(value));
  }
  return parts.join(' · ');
}

/** Who caused an event, and the affected device, whose name is between the two texts. */
export interface ActorDescription {
  before: string;
  device: { id: string; name: string } | null;
  after: string;
}

/** Stands for the name of the device in a text. */
const DEVICE = '\0';

/** @param names device names by id, of the devices loaded so far */
export function describeActor(
  event: Pick<DeploymentEvent, 'actor' | 'device_id'>,
  names: ReadonlyMap<string, string | null>,
): ActorDescription {
  const { actor, device_id: id } = event;
  const t = texts.timeline;
  const isActor = actor.type === 'device';
  const who = {
    admin: actor.name ?? actor.id ?? '',
    device: actor.name ?? t.device,
    system: t.system,
  }[actor.type];
  if (id === null) return { before: t.by(who), device: null, after: '' };
  const name = (isActor && actor.name) || (names.get(id) ?? t.deviceId(id));
  const [before = '', after = ''] = (isActor ? t.by(DEVICE) : t.byOn(who, DEVICE)).split(DEVICE);
  return { before, device: { id, name }, after };
}
