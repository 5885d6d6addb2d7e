/** What `ota deploy` prints: lines for people, or one JSON object a line for machines. */
import type {
  CanaryCoverage,
  DeploymentDetail,
  DeploymentImpact,
  DeviceKind,
  TargetView,
  VersionChanges,
} from '../../../backend/contract/admin-api.ts';
import type { ImpactReason } from '../../../backend/contract/states.ts';
import { oneLine } from '../one-line.ts';
import { type Outcome, OUTCOME_EXIT } from './rollout-outcome.ts';

export class RolloutReport {
  #last = '';

  /** @param json one JSON object a line instead of text */
  constructor(private readonly json: boolean) {}

  created(deployment: { deployment_id: string; target_devices: number }): void {
    const { deployment_id, target_devices } = deployment;
    this.#print(
      { event: 'created', deployment_id, target_devices },
      `Created deployment ${deployment_id} for ${target_devices} devices.`,
    );
  }

  /** Which kinds of devices are in the first batch of a canary. */
  coverage(deployment_id: string, coverage: CanaryCoverage): void {
    const { kinds, covered_kinds, missing, percentage_for_all } = coverage;
    const lines = [`The first batch covers ${covered_kinds} of ${kinds} kinds of devices.`];
    if (covered_kinds < kinds) {
      const more = kinds - covered_kinds - missing.length;
      const named = [...missing.map(nameOf), ...(more > 0 ? [`${more} more`] : [])];
      lines.push(
        `Warning: missing: ${named.join(', ')}. ` +
          `A rollout_percentage of ${percentage_for_all} would cover all kinds.`,
      );
    }
    this.#print({ event: 'coverage', deployment_id, ...coverage }, lines.join('\n'));
  }

  /** What the start is about to change; only for the log, since a pipeline has decided already. */
  impact(deployment_id: string, impact: DeploymentImpact): void {
    const { devices, fleet_devices, changes, by_type, overlapping } = impact;
    const counts = Object.entries(changes)
      .filter(([, count]) => count > 0)
      .map(([change, count]) => `${count} ${CHANGE[change as keyof VersionChanges]}`);
    const types = by_type.map(
      ({ device_type, count }) => `${oneLine(device_type, 'unknown type')} (${count})`,
    );
    const lines = [
      `${devices} of ${fleet_devices} devices in the fleet: ${[...counts, types.join(', ')].join('; ')}.`,
      ...impact.confirm_because.map((reason) => `Warning: ${RISK[reason]}.`),
      ...protectionLines(impact),
      ...overlapping.map(
        (other) =>
          `Note: ${other.devices} of them also belong to ${oneLine(other.deployment_name)} (${oneLine(other.target_version)}, ${other.status}).`,
      ),
    ];
    this.#print({ event: 'impact', deployment_id, ...impact }, lines.join('\n'));
  }

  started(deployment_id: string): void {
    this.#print({ event: 'started', deployment_id }, 'Started.');
  }

  expanded(deployment_id: string, percentage: number): void {
    this.#print(
      { event: 'expanded', deployment_id, percentage },
      `The first share is healthy: expanded to ${percentage} %.`,
    );
  }

  /** Prints nothing when nothing has changed since the last time. */
  progress(deployment: DeploymentDetail): void {
    const { deployment_id, status, phase, progress, forecast } = deployment;
    const { total_devices, completed, failed, rolled_back, skipped, in_progress } = progress;
    const facts = { event: 'progress', deployment_id, status, phase, ...progress };
    const text = JSON.stringify(facts);
    if (text === this.#last) return;
    this.#last = text;
    const rest = Object.entries({ failed, rolled_back, skipped, in_progress })
      .filter(([, count]) => count > 0)
      .map(([name, count]) => `, ${count} ${name.replace('_', ' ')}`)
      .join('');
    const end = forecast?.likely ? `, likely finished at ${forecast.likely}` : '';
    this.#print(
      { ...facts, forecast },
      `${status}: ${completed} of ${total_devices} completed${rest}${end}`,
    );
  }

  /** For people only, on standard error: with --json only the outcome counts. */
  trouble(message: string): void {
    console.error(message);
  }

  ended(outcome: Outcome, deployment: DeploymentDetail, failed: TargetView[]): void {
    const { deployment_id, status, progress } = deployment;
    const devices = failed.map(({ device_id, device_name, status: state, error_message }) => ({
      device_id,
      device_name,
      status: state,
      error_message,
    }));
    const lines = [
      SENTENCE[outcome].replaceAll('ID', deployment_id),
      ...devices.map(
        (device) =>
          `  ${device.device_name ?? device.device_id}: ${device.status}: ${oneLine(device.error_message)}`,
      ),
    ];
    const more = progress.failed + progress.rolled_back - devices.length;
    if (devices.length > 0 && more > 0) lines.push(`  and ${more} more`);
    this.#print(
      {
        event: 'ended',
        outcome,
        exit_code: OUTCOME_EXIT[outcome],
        deployment_id,
        status,
        progress,
        devices,
      },
      lines.join('\n'),
    );
  }

  #print(facts: object, text: string): void {
    console.log(this.json ? JSON.stringify(facts) : text);
  }
}

function nameOf({ device_type, version, attributes, count }: DeviceKind): string {
  const values = Object.entries(attributes).map(
    ([key, value]) => `, ${oneLine(key)} ${oneLine(value, 'not set')}`,
  );
  return (
    `${oneLine(device_type, 'unknown type')} on ${oneLine(version, 'an unknown version')}` +
    `${values.join('')} (${count} ${count === 1 ? 'device' : 'devices'})`
  );
}

/** How many devices nothing brings back if the update fails, and of how many that is unknown. */
function protectionLines({ devices, protection: { none, unknown } }: DeploymentImpact): string[] {
  return [
    ...(none > 0
      ? [
          `Warning: ${none} of ${devices} devices would not come back by ${none === 1 ? 'itself' : 'themselves'} if the update fails.`,
        ]
      : []),
    ...(unknown > 0
      ? [
          `Note: ${unknown} of ${devices} devices ${unknown === 1 ? 'has' : 'have'} not reported whether they would come back.`,
        ]
      : []),
  ];
}

const CHANGE: Record<keyof VersionChanges, string> = {
  upgrade: 'upgraded',
  downgrade: 'downgraded',
  same: 're-installed',
  unknown: 'with a version that is unknown or cannot be compared',
};

const RISK: Record<ImpactReason, string> = {
  downgrade: 'some devices would get an older version than they run',
  several_types: 'one package goes to several device types',
  large_share: 'more than a fifth of the fleet gets the update at once',
};

const SENTENCE: Record<Outcome, string> = {
  completed: 'Completed: deployment ID.',
  failed: 'Failed: deployment ID has finished, and these devices do not have the new version:',
  cancelled: 'Cancelled: deployment ID.',
  paused_by_failures:
    'Paused: too many devices failed in deployment ID. Check them, then resume or cancel it.',
  awaiting_expansion:
    'Waiting: the first share of deployment ID has finished. Expand it, or run ota deploy --watch ID --expand.',
  still_running:
    'Still running: deployment ID continues. Watch it again with ota deploy --watch ID.',
};
