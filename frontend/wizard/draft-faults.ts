/** What is wrong with a draft: as far as the page can see, and as the server says. */
import type { FieldError } from '../../backend/contract/problem.ts';
import { packageUrlError } from '../../backend/contract/package-url.ts';
import { texts } from '../texts/texts.ts';
import { readChecksum } from './checksum.ts';
import {
  isPickedByHand,
  STEP_FIELDS,
  WIZARD_STEPS,
  type Draft,
  type DraftField,
  type Faults,
} from './draft.ts';

/** Every fault that can be seen without the server; it has the last word anyway. */
export function draftFaults(draft: Draft, now: Date): Faults {
  const t = texts.wizard.faults;
  const faults: Faults = {};
  const name = (field: string) => texts.wizard.fields[field] ?? field;
  for (const field of [
    'deployment_name',
    'target_version',
    'update_package_url',
    'checksum',
  ] as const) {
    if (draft[field].trim() === '') faults[field] = t.required(name(field));
  }
  if (draft.rollout_strategy === 'canary' && wholeIn(draft.canary_percentage, 1, 100) === null) {
    faults.canary_percentage = t.range(1, 100);
  }
  if (draft.rollout_strategy === 'rolling') {
    if (draft.rolling_by === 'percentage' && wholeIn(draft.rolling_percentage, 1, 100) === null) {
      faults.rolling_percentage = t.range(1, 100);
    }
    if (draft.rolling_by === 'count' && wholeIn(draft.batch_size, 1, Infinity) === null) {
      faults.batch_size = t.atLeast(1);
    }
  }
  if (
    !draft.threshold_off &&
    draft.failure_threshold_percent !== '' &&
    wholeIn(draft.failure_threshold_percent, 0, 100) === null
  ) {
    faults.failure_threshold_percent = t.range(0, 100);
  }
  for (const field of ['failure_min_devices', 'device_timeout_minutes'] as const) {
    if (draft[field] !== '' && wholeIn(draft[field], 1, Infinity) === null) {
      faults[field] = t.atLeast(1);
    }
  }
  if (
    draft.pickup_timeout_hours !== '' &&
    wholeIn(draft.pickup_timeout_hours, 0, Infinity) === null
  ) {
    faults.pickup_timeout_hours = t.atLeast(0);
  }
  if (draft.scheduled_at !== '' && !(new Date(draft.scheduled_at) > now)) {
    faults.scheduled_at = t.past;
  }
  if (isPickedByHand(draft) && draft.picked.length === 0) faults.device_ids = t.pick;
  if (draft.rollout_strategy === 'manual' && !narrows(draft)) faults.device_type = t.narrow;
  const url = draft.update_package_url.trim();
  if (url !== '' && !faults.update_package_url) {
    // A host may allow `http` to its own machine, which only the server knows.
    const fault = packageUrlError(url, true);
    if (fault) faults.update_package_url = t.address(fault);
  }
  if (draft.checksum.trim() !== '' && readChecksum(draft.checksum) === null) {
    const digits = draft.checksum.trim().replace(/^sha256:/i, '');
    faults.checksum = /^[0-9a-f]+$/i.test(digits) ? t.checksumLength(digits.length) : t.checksum;
  }
  if ((draft.manifest.trim() === '') !== (draft.signature.trim() === '')) {
    faults[draft.manifest.trim() === '' ? 'manifest' : 'signature'] = t.pair;
  }
  return faults;
}

/** Manual deployments are for devices that somebody chose; without a filter they would go to all. */
function narrows(draft: Draft): boolean {
  const filters = [draft.device_type, draft.current_version, draft.status];
  return isPickedByHand(draft) || filters.some((filter) => filter.trim() !== '');
}

/**
 * The server's faults at the fields of the wizard. Those that belong to no field are returned in
 * `others`, as sentences.
 */
export function placeFaults(
  faults: readonly FieldError[],
  draft: Draft,
): { placed: Faults; others: string[] } {
  const placed: Faults = {};
  const others: string[] = [];
  for (const { path, message } of faults) {
    const field = fieldOf(path, draft);
    if (field) placed[field] ??= message;
    else others.push(path ? `${path}: ${message}` : message);
  }
  return { placed, others };
}

function fieldOf(path: string, draft: Draft): DraftField | null {
  if (path === 'rollout_percentage') {
    return draft.rollout_strategy === 'rolling' ? 'rolling_percentage' : 'canary_percentage';
  }
  const name = path.replace(/^(device_filters|policy)\./, '').replace(/[.[].*$/, '');
  const known = WIZARD_STEPS.flatMap((step) => STEP_FIELDS[step]);
  return known.find((field) => field === name) ?? null;
}

function wholeIn(text: string, from: number, to: number): number | null {
  if (!/^\d+$/.test(text.trim())) return null;
  const value = Number(text);
  return value >= from && value <= to ? value : null;
}
