/** Validation errors of a draft: those that the page finds, and those that the server reports. */
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
  type DraftErrors,
} from './draft.ts';

/** Finds all errors that can be found without the server, which validates again. */
export function validateDraft(draft: Draft, now: Date): DraftErrors {
  const t = texts.wizard.errors;
  const errors: DraftErrors = {};
  const name = (field: string) => texts.wizard.fields[field] ?? field;
  for (const field of [
    'deployment_name',
    'target_version',
    'update_package_url',
    'checksum',
  ] as const) {
    if (draft[field].trim() === '') errors[field] = t.required(name(field));
  }
  if (
    draft.rollout_strategy === 'canary' &&
    parseInteger(draft.canary_percentage, 1, 100) === null
  ) {
    errors.canary_percentage = t.range(1, 100);
  }
  if (draft.rollout_strategy === 'rolling') {
    if (
      draft.rolling_by === 'percentage' &&
      parseInteger(draft.rolling_percentage, 1, 100) === null
    ) {
      errors.rolling_percentage = t.range(1, 100);
    }
    if (draft.rolling_by === 'count' && parseInteger(draft.batch_size, 1, Infinity) === null) {
      errors.batch_size = t.atLeast(1);
    }
  }
  if (
    !draft.threshold_off &&
    draft.failure_threshold_percent !== '' &&
    parseInteger(draft.failure_threshold_percent, 0, 100) === null
  ) {
    errors.failure_threshold_percent = t.range(0, 100);
  }
  for (const field of ['failure_min_devices', 'device_timeout_minutes'] as const) {
    if (draft[field] !== '' && parseInteger(draft[field], 1, Infinity) === null) {
      errors[field] = t.atLeast(1);
    }
  }
  if (
    draft.pickup_timeout_hours !== '' &&
    parseInteger(draft.pickup_timeout_hours, 0, Infinity) === null
  ) {
    errors.pickup_timeout_hours = t.atLeast(0);
  }
  if (draft.scheduled_at !== '' && !(new Date(draft.scheduled_at) > now)) {
    errors.scheduled_at = t.past;
  }
  if (isPickedByHand(draft) && draft.picked.length === 0) errors.device_ids = t.pick;
  if (draft.rollout_strategy === 'manual' && !hasSelection(draft)) errors.device_type = t.noFilter;
  const url = draft.update_package_url.trim();
  if (url !== '' && !errors.update_package_url) {
    // The host may allow `http` for localhost, which only the server knows.
    const error = packageUrlError(url, true);
    if (error) errors.update_package_url = t.url(error);
  }
  if (draft.checksum.trim() !== '' && readChecksum(draft.checksum) === null) {
    const digits = draft.checksum.trim().replace(/^sha256:/i, '');
    errors.checksum = /^[0-9a-f]+$/i.test(digits) ? t.checksumLength(digits.length) : t.checksum;
  }
  if ((draft.manifest.trim() === '') !== (draft.signature.trim() === '')) {
    errors[draft.manifest.trim() === '' ? 'manifest' : 'signature'] = t.pair;
  }
  return errors;
}

/** A manual deployment is for selected devices; without a filter it would go to all. */
function hasSelection(draft: Draft): boolean {
  const filters = [draft.device_type, draft.current_version, draft.status];
  return isPickedByHand(draft) || filters.some((filter) => filter.trim() !== '');
}

/**
 * Assigns the server's errors to the fields of the wizard. Those that belong to no field are returned in
 * `others`, as sentences.
 */
export function assignServerErrors(
  errors: readonly FieldError[],
  draft: Draft,
): { assigned: DraftErrors; others: string[] } {
  const assigned: DraftErrors = {};
  const others: string[] = [];
  for (const { path, message } of errors) {
    const field = fieldOf(path, draft);
    if (field) assigned[field] ??= message;
    else others.push(path ? `${path}: ${message}` : message);
  }
  return { assigned, others };
}

function fieldOf(path: string, draft: Draft): DraftField | null {
  if (path === 'rollout_percentage') {
    return draft.rollout_strategy === 'rolling' ? 'rolling_percentage' : 'canary_percentage';
  }
  const name = path.replace(/^(device_filters|policy)\./, '').replace(/[.[].*$/, '');
  const known = WIZARD_STEPS.flatMap((step) => STEP_FIELDS[step]);
  return known.find((field) => field === name) ?? null;
}

/** `null` unless the text is a whole number in the range. */
function parseInteger(text: string, from: number, to: number): number | null {
  if (!/^\d+$/.test(text.trim())) return null;
  const value = Number(text);
  return value >= from && value <= to ? value : null;
}
