/** The fields of the wizard, and the step that each belongs to. Pure; `draft.store.ts` has the state. */
import type {
  DeviceConnectionFilter,
  RolloutStrategy,
  VersionOperator,
} from '../../backend/contract/states.ts';

export const WIZARD_STEPS = ['basic', 'devices', 'package', 'review'] as const;
export type WizardStep = (typeof WIZARD_STEPS)[number];

/** Numbers are kept as typed, so that incomplete and invalid ones can be shown with their errors. */
export interface Draft {
  deployment_name: string;
  target_version: string;
  rollout_strategy: RolloutStrategy;
  canary_percentage: string;
  rolling_by: 'percentage' | 'count';
  rolling_percentage: string;
  batch_size: string;
  /** In the policy and the schedule, an empty field means the server's default. */
  threshold_off: boolean;
  failure_threshold_percent: string;
  failure_min_devices: string;
  device_timeout_minutes: string;
  pickup_timeout_hours: string;
  /** In the format of `<input type="datetime-local">`, in the viewer's time zone. */
  scheduled_at: string;
  pick_by: 'filter' | 'hand';
  device_type: string;
  version_operator: VersionOperator;
  current_version: string;
  status: DeviceConnectionFilter;
  picked: { device_id: string; device_name: string }[];
  skip_up_to_date: boolean;
  update_package_url: string;
  checksum: string;
  release_notes: string;
  manifest: string;
  signature: string;
}

export type DraftField = keyof Draft | 'device_ids';
export type DraftErrors = Partial<Record<DraftField, string>>;

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
    skip_up_to_date: true,
    update_package_url: '',
    checksum: '',
    release_notes: '',
    manifest: '',
    signature: '',
  };
}

export const STEP_FIELDS: Record<WizardStep, readonly DraftField[]> = {
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
  devices: [
    'device_type',
    'version_operator',
    'current_version',
    'status',
    'device_ids',
    'skip_up_to_date',
  ],
  package: ['update_package_url', 'checksum', 'release_notes', 'manifest', 'signature'],
  review: [],
};

export function errorsIn(step: WizardStep, errors: DraftErrors): DraftField[] {
  return STEP_FIELDS[step].filter((field) => errors[field] !== undefined);
}

/** Picked devices only count for a manual deployment; they are kept while another strategy is selected. */
export function isPickedByHand(draft: Draft): boolean {
  return draft.rollout_strategy === 'manual' && draft.pick_by === 'hand';
}
