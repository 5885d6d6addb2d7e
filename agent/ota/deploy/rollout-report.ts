/** What `ota deploy` prints: lines for people, or one JSON object a line for machines. */
import type { DeploymentDetail, TargetView } from '../../../backend/contract/admin-api.ts';
import { type Outcome, OUTCOME_EXIT } from './rollout-outcome.ts';

export class RolloutReport {
  readonly #json: boolean;
  #last = '';

  constructor(json: boolean) {
    this.#json = json;
  }

  created(deployment: { deployment_id: string; target_devices: number }): void {
    const { deployment_id, target_devices } = deployment;
    this.#tell(
      { event: 'created', deployment_id, target_devices },
      `Created deployment ${deployment_id} for ${target_devices} devices.`,
    );
  }

  started(deployment_id: string): void {
    this.#tell({ event: 'started', deployment_id }, 'Started.');
  }

  expanded(deployment_id: string, percentage: number): void {
    this.#tell(
      { event: 'expanded', deployment_id, percentage },
      `The first share is well: expanded to ${percentage} %.`,
    );
  }

  /** Says nothing when nothing has changed since the last time. */
  progress(deployment: DeploymentDetail): void {
    const { deployment_id, status, phase, progress } = deployment;
    const { total_devices, completed, failed, rolled_back, skipped, in_progress } = progress;
    const facts = { event: 'progress', deployment_id, status, phase, ...progress };
    const text = JSON.stringify(facts);
    if (text === this.#last) return;
    this.#last = text;
    const rest = Object.entries({ failed, rolled_back, skipped, in_progress })
      .filter(([, count]) => count > 0)
      .map(([name, count]) => `, ${count} ${name.replace('_', ' ')}`)
      .join('');
    this.#tell(facts, `${status}: ${completed} of ${total_devices} completed${rest}`);
  }

  /** For people only, on standard error: a machine is told when it is over. */
  trouble(message: string): void {
    console.error(message);
  }

  ended(outcome: Outcome, deployment: DeploymentDetail, unwell: TargetView[]): void {
    const { deployment_id, status, progress } = deployment;
    const devices = unwell.map(({ device_id, device_name, status: state, error_message }) => ({
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
    this.#tell(
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

  #tell(facts: object, text: string): void {
    console.log(this.#json ? JSON.stringify(facts) : text);
  }
}

const SENTENCE: Record<Outcome, string> = {
  completed: 'Completed: deployment ID.',
  failed: 'Failed: deployment ID has ended, and these devices do not have the new version:',
  cancelled: 'Cancelled: deployment ID.',
  paused_by_failures:
    'Paused: too many devices failed in deployment ID. Look at them, then resume or cancel it.',
  awaiting_expansion:
    'Waiting: the first share of deployment ID has ended. Expand it, or run ota deploy --watch ID --expand.',
  still_running:
    'Still running: deployment ID goes on. Look at it again with ota deploy --watch ID.',
};

/** Messages come from devices: no control characters reach the terminal. */
function oneLine(text: string | null): string {
  return (text ?? 'no reason given').replace(/\p{Cc}+/gu, ' ').slice(0, 500);
}
