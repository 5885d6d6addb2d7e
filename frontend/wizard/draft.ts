/** What stands in the wizard, and the rules of its fields. Pure; the store keeps it. */
import type {
  CreateDeploymentRequest,
  DeviceFilters,
  RolloutPolicy,
} from '../../backend/contract/admin-api.ts';
import type { FieldFault } from '../../backend/contract/problem.ts';
import type {
  DeviceConnectionFilter,
  RolloutStrategy,
  VersionOperator,
} from '../../backend/contract/states.ts';
import { texts } from '../texts/texts.ts';

export const WIZARD_STEPS = ['basic', 'devices', 'package', 'review'] as const;
export type WizardStep = (typeof WIZARD_STEPS)[number];

/** Numbers are kept as typed, so that half-typed and wrong ones can be shown and named. */
export interface Draft {
  deployment_name: string;
  target_version: string;
  rollout_strategy: RolloutStrategy;
  canary_percentage: string;
  rolling_by: 'percentage' | 'count';
  rolling_percentage: string;
  batch_size: string;
  /** Empty fields of the policy and the schedule mean: the server's default. */
  threshold_off: boolean;
  failure_threshold_percent: string;
  failure_min_devices: string;
  device_timeout_minutes: string;
  pickup_timeout_hours: string;
  /** As `<input type="datetime-local">` writes it, in the viewer's zone. */
  scheduled_at: string;
  pick_by: 'filter' | 'hand';
  device_type: string;
  version_operator: VersionOperator;
  current_version: string;
  status: DeviceConnectionFilter;
  picked: { device_id: string; device_name: string }[];
  update_package_url: string;
  checksum: string;
  release_notes: string;
  manifest: string;
  signature: string;
}

export type DraftField = keyof Draft | 'device_ids';
export type Faults = Partial<Record<DraftField, string>>;

export function emptyDraft(): Draft {
  return {
    deployment_name: '',
    target_version: '',
    rollout_strategy: 'canary',
    canary_percentage: '10',
    rolling_by: 'percentage',
    rolling_percentage: '20',
    batch_size: '',
    threshold_off: false,
    failure_threshold_percent: '',
    failure_min_devices: '',
    device_timeout_minutes: '',
    pickup_timeout_hours: '',
    scheduled_at: '',
    pick_by: 'filter',
    device_type: '',
    version_operator: '!=',
    current_version: '',
    status: '',
    picked: [],
    update_package_url: '',
    checksum: '',
    release_notes: '',
    manifest: '',
    signature: '',
  };
}

const STEP_FIELDS: Record<WizardStep, readonly DraftField[]> = {
  basic: [
    'deployment_name',
    'target_version',
    'rollout_strategy',
    'canary_percentage',
    'rolling_percentage',
    'batch_size',
    'failure_threshold_percent',
    'failure_min_devices',
    'device_timeout_minutes',
    'pickup_timeout_hours',
    'scheduled_at',
  ],
  devices: ['device_type', 'version_operator', 'current_version', 'status', 'device_ids'],
  package: ['update_package_url', 'checksum', 'release_notes', 'manifest', 'signature'],
  review: [],
};

export function faultsIn(step: WizardStep, faults: Faults): DraftField[] {
  return STEP_FIELDS[step].filter((field) => faults[field] !== undefined);
}

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
  const url = draft.update_package_url.trim();
  if (url !== '' && !faults.update_package_url) {
    const fault = urlFault(url);
    if (fault) faults.update_package_url = fault;
  }
  const digits = draft.checksum.trim().replace(/^sha256:/i, '');
  if (digits !== '' && !/^[0-9a-f]{64}$/i.test(digits)) {
    faults.checksum = /^[0-9a-f]+$/i.test(digits) ? t.checksumLength(digits.length) : t.checksum;
  }
  if ((draft.manifest.trim() === '') !== (draft.signature.trim() === '')) {
    faults[draft.manifest.trim() === '' ? 'manifest' : 'signature'] = t.pair;
  }
  return faults;
}

/** `https` only; a host may allow `http` to its own machine, which only the server knows. */
function urlFault(text: string): string | null {
  const t = texts.wizard.faults;
  if (!URL.canParse(text)) return /^https?:/i.test(text) ? t.url : t.https;
  const { protocol, hostname } = new URL(text);
  if (protocol === 'https:') return null;
  const loopback = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  return protocol === 'http:' && loopback ? null : t.https;
}

/** Only a manual deployment names its devices; the pick is kept while another strategy is tried. */
export function isPickedByHand(draft: Draft): boolean {
  return draft.rollout_strategy === 'manual' && draft.pick_by === 'hand';
}

export function toRequest(draft: Draft): CreateDeploymentRequest {
  const policy = toPolicy(draft);
  const notes = draft.release_notes;
  return {
    deployment_name: draft.deployment_name.trim(),
    target_version: draft.target_version.trim(),
    ...toPlan(draft),
    ...toTargets(draft),
    update_package_url: draft.update_package_url.trim(),
    checksum: draft.checksum.trim(),
    ...(notes !== '' && { release_notes: notes }),
    ...(Object.keys(policy).length > 0 && { policy }),
    ...(draft.scheduled_at !== '' && { scheduled_at: new Date(draft.scheduled_at).toISOString() }),
    ...(draft.manifest.trim() !== '' && { manifest: draft.manifest }),
    ...(draft.signature.trim() !== '' && { signature: draft.signature.trim() }),
  };
}

/**
 * The part of the request that decides which devices match and in which batches; `null` while nothing
 * is picked or a number of the plan is missing. The rest may still be empty for a preview.
 */
export function toPreviewRequest(draft: Draft, faults: Faults): CreateDeploymentRequest | null {
  if (isPickedByHand(draft) && draft.picked.length === 0) return null;
  if (faults.canary_percentage ?? faults.rolling_percentage ?? faults.batch_size) return null;
  return {
    deployment_name: draft.deployment_name.trim(),
    target_version: draft.target_version.trim(),
    ...toPlan(draft),
    ...toTargets(draft),
    update_package_url: draft.update_package_url.trim(),
    checksum: draft.checksum.trim(),
  };
}

function toPlan(
  draft: Draft,
): Pick<CreateDeploymentRequest, 'rollout_strategy' | 'rollout_percentage' | 'batch_size'> {
  const { rollout_strategy } = draft;
  if (rollout_strategy === 'canary') {
    return { rollout_strategy, rollout_percentage: Number(draft.canary_percentage) };
  }
  if (rollout_strategy === 'rolling') {
    return draft.rolling_by === 'count'
      ? { rollout_strategy, batch_size: Number(draft.batch_size) }
      : { rollout_strategy, rollout_percentage: Number(draft.rolling_percentage) };
  }
  return { rollout_strategy };
}

function toTargets(draft: Draft): Pick<CreateDeploymentRequest, 'device_filters' | 'device_ids'> {
  if (isPickedByHand(draft)) {
    return { device_ids: draft.picked.map((device) => device.device_id) };
  }
  const filters: DeviceFilters = {};
  if (draft.device_type.trim() !== '') filters.device_type = draft.device_type.trim();
  if (draft.current_version.trim() !== '') {
    filters.current_version = draft.current_version.trim();
    filters.version_operator = draft.version_operator;
  }
  if (draft.status !== '') filters.status = draft.status;
  return { device_filters: filters };
}

function toPolicy(draft: Draft): Partial<RolloutPolicy> {
  const policy: Partial<RolloutPolicy> = {};
  if (draft.threshold_off) policy.failure_threshold_percent = null;
  else if (draft.failure_threshold_percent !== '') {
    policy.failure_threshold_percent = Number(draft.failure_threshold_percent);
  }
  if (draft.failure_min_devices !== '') {
    policy.failure_min_devices = Number(draft.failure_min_devices);
  }
  if (draft.device_timeout_minutes !== '') {
    policy.device_timeout_minutes = Number(draft.device_timeout_minutes);
  }
  if (draft.pickup_timeout_hours !== '') {
    policy.pickup_timeout_hours = Number(draft.pickup_timeout_hours) || null;
  }
  return policy;
}

/**
 * The server's faults at the fields of the wizard. Those that belong to no field are returned in
 * `others`, as sentences.
 */
export function placeFaults(
  faults: readonly FieldFault[],
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
