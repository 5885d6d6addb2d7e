import type { DeviceTarget } from '../../backend/contract/admin-api.ts';
import { formatDuration } from '../shared/format.ts';
import { plainText } from '../target/logs/terminal-text.ts';
import { texts } from '../texts/texts.ts';

/** Duration and number of attempts of an update, as far as there is something to say. */
export function describeResult(
  target: Pick<DeviceTarget, 'duration_seconds' | 'attempt'>,
): string[] {
  const t = texts.devicePage;
  return [
    ...(target.duration_seconds === null ? [] : [t.took(formatDuration(target.duration_seconds))]),
    ...(target.attempt > 1 ? [t.attempts(target.attempt)] : []),
  ];
}

/** The error on one line; without a message, what made the update fail. Empty: there is none. */
export function errorOf(target: Pick<DeviceTarget, 'error_message' | 'failure_cause'>): string {
  const cause = target.failure_cause === null ? '' : texts.failureCause[target.failure_cause];
  return plainText(target.error_message ?? '') || cause;
}

/** How a rollback came, or why the target was skipped. */
export function noteOf(
  target: Pick<DeviceTarget, 'status' | 'rolled_back_on_request' | 'skip_reason'>,
): string | null {
  const t = texts.devicePage;
  if (target.status === 'rolled_back') {
    return target.rolled_back_on_request ? t.rolledBack.onRequest : t.rolledBack.byItself;
  }
  return target.skip_reason === null ? null : t.skipped[target.skip_reason];
}
