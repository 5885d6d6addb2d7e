import { expect } from 'chai';
import fc from 'fast-check';
import type { DeviceTarget, WaitingFor } from '../../../backend/contract/admin-api.ts';
import {
  SKIP_REASONS,
  TARGET_STATUSES,
  WAITING_REASONS,
  type TargetStatus,
  type WaitingReason,
} from '../../../backend/contract/states.ts';
import { describeResult, errorOf, noteOf } from '../../../frontend/device/describe-result.ts';
import { describeWaiting, waitingLabel } from '../../../frontend/target/describe-waiting.ts';
import { canRetry } from '../../../frontend/target/target-actions.ts';
import { texts } from '../../../frontend/texts/texts.ts';

const NOW = new Date('2026-11-27T12:00:00Z');
const IN_TWO_HOURS = '2026-11-27T14:00:00.000Z';

function waiting(reason: WaitingReason, until: string | null = null): WaitingFor {
  return { reason, since: null, until, other_deployment: null };
}

describe('what a device waits for', () => {
  const CASES: [TargetStatus, WaitingFor, label: string, sentence: string][] = [
    [
      'pending',
      waiting('deployment_not_started'),
      'Start',
      'The deployment has not started. The device waits until an admin starts it.',
    ],
    [
      'pending',
      waiting('scheduled', IN_TWO_HOURS),
      'Scheduled start',
      'The deployment starts automatically in 2 hr.',
    ],
    [
      'pending',
      waiting('scheduled'),
      'Scheduled start',
      'The deployment starts automatically at its scheduled time.',
    ],
    [
      'pending',
      waiting('paused'),
      'Resume',
      'The deployment is paused. The device waits until an admin resumes it.',
    ],
    [
      'pending',
      waiting('failure_threshold'),
      'Resume (failures)',
      'Too many devices failed, so the deployment paused. The device waits until an admin resumes it.',
    ],
    [
      'pending',
      waiting('batch'),
      'Its batch',
      'The batch of this device has not been released. It is released when every device of the batch before has finished.',
    ],
    [
      'pending',
      waiting('expansion'),
      'Expansion',
      'The device is not part of the canary. It waits until an admin expands the deployment.',
    ],
    ['pending', waiting('other_update'), 'Another update', 'The device gets another update first.'],
    [
      'pending',
      waiting('not_seen', IN_TWO_HOURS),
      'Not checking in',
      'The device has not been heard from for a while. Its update continues when it checks in. It is skipped in 2 hr if it does not check in.',
    ],
    [
      'pending',
      waiting('offered'),
      'Next check-in',
      'The device gets the update the next time it checks in.',
    ],
    [
      'pending',
      waiting('offered', IN_TWO_HOURS),
      'Next check-in',
      'The device gets the update the next time it checks in. It is skipped in 2 hr if it does not check in.',
    ],
    ['downloading', waiting('offered'), 'Device to finish', 'The device is updating.'],
    [
      'installing',
      waiting('offered', IN_TWO_HOURS),
      'Device to finish',
      'The device is updating. It counts as failed in 2 hr if it sends no report.',
    ],
    [
      'installing',
      waiting('paused'),
      'Device to finish',
      'The deployment is paused, but the device finishes its update. If it is interrupted, it waits until an admin resumes the deployment.',
    ],
    [
      'pending',
      waiting('deployment_ended'),
      'To be skipped',
      'The deployment has ended, so the device is about to be skipped.',
    ],
    [
      'installing',
      waiting('deployment_ended', IN_TWO_HOURS),
      'Device to finish',
      'The deployment has ended. The device finishes its update, or is skipped when it checks in. It counts as failed in 2 hr if it sends no report.',
    ],
    [
      'verifying',
      waiting('rebooting', IN_TWO_HOURS),
      'Restart',
      'The device is restarting. The update completes when the new system is healthy. It counts as failed in 2 hr if it sends no report.',
    ],
  ];
  for (const [status, waitingFor, label, sentence] of CASES) {
    const until = waitingFor.until ? ', with an end' : '';
    it(`${status}: ${waitingFor.reason}${until}`, () => {
      expect(waitingLabel(status, waitingFor)).to.equal(label);
      expect(describeWaiting(status, waitingFor, NOW).sentence).to.equal(sentence);
    });
  }

  it('has a short label and a sentence for every reason, and names an end if there is one', () => {
    const open = fc.constantFrom<TargetStatus>('pending', 'downloading', 'installing', 'verifying');
    fc.assert(
      fc.property(open, fc.constantFrom(...WAITING_REASONS), (status, reason) => {
        expect(waitingLabel(status, waiting(reason))).to.have.length.within(4, 20);
        const { sentence } = describeWaiting(status, waiting(reason, IN_TWO_HOURS), NOW);
        expect(sentence)
          .to.match(/^The |^Too /)
          .and.to.include('in 2 hr');
      }),
    );
  });
});

describe('an update in the history of a device', () => {
  it('has its duration and the number of attempts', () => {
    expect(describeResult({ duration_seconds: 192, attempt: 1 })).to.deep.equal([
      'took 3 min 12 s',
    ]);
    expect(describeResult({ duration_seconds: null, attempt: 3 })).to.deep.equal(['3 attempts']);
    expect(describeResult({ duration_seconds: null, attempt: 1 })).to.deep.equal([]);
  });

  it('has its error, or else what made it fail', () => {
    expect(
      errorOf({ error_message: '\u001b[31mdisk full\u001b[0m', failure_cause: 'space' }),
    ).to.equal('disk full');
    expect(errorOf({ error_message: null, failure_cause: 'space' })).to.equal('Disk space');
    expect(errorOf({ error_message: null, failure_cause: null })).to.equal('');
  });

  it('tells how a rollback came, and why it was skipped', () => {
    const none = { rolled_back_on_request: false, skip_reason: null };
    expect(noteOf({ ...none, status: 'rolled_back' })).to.equal(
      'The device rolled back by itself.',
    );
    expect(noteOf({ ...none, status: 'rolled_back', rolled_back_on_request: true })).to.equal(
      'An admin requested the rollback.',
    );
    for (const reason of SKIP_REASONS) {
      expect(noteOf({ ...none, status: 'skipped', skip_reason: reason })).to.equal(
        texts.devicePage.skipped[reason],
      );
    }
    expect(noteOf({ ...none, status: 'completed' })).to.equal(null);
  });
});

describe('retry of one device', () => {
  const failed: Parameters<typeof canRetry>[0] = {
    status: 'failed',
    deployment_status: 'failed',
    rolled_back_on_request: false,
    rollback_requested: null,
  };
  const CASES: [string, Partial<DeviceTarget>, boolean][] = [
    ['an update that failed', {}, true],
    ['in a deployment in progress', { deployment_status: 'in_progress' }, true],
    ['in a paused deployment', { deployment_status: 'paused' }, true],
    ['in a cancelled deployment', { deployment_status: 'cancelled' }, false],
    ['one that rolled back by itself', { status: 'rolled_back' }, true],
    [
      'one that rolled back on request',
      { status: 'rolled_back', rolled_back_on_request: true },
      false,
    ],
    ['one with a requested rollback', { rollback_requested: 'v1' }, false],
  ];
  for (const [what, change, expected] of CASES) {
    it(`${expected ? 'is' : 'is not'} offered for ${what}`, () => {
      expect(canRetry({ ...failed, ...change })).to.equal(expected);
    });
  }

  it('is offered for no other status', () => {
    const others = TARGET_STATUSES.filter((status) => canRetry({ ...failed, status }));
    expect(others).to.have.members(['failed', 'rolled_back']);
  });
});
