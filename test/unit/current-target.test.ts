import { expect } from 'chai';
import type { OpenTarget } from '../../backend/deployments/rules/poll-decision.ts';
import { currentTarget } from '../../backend/fleet/current-target.ts';
import { openTarget as target } from '../support/open-target.ts';

describe('the current target of a device', () => {
  const unreleased = { position: 10 };
  const TABLE: [what: string, targets: OpenTarget[], day: number | null][] = [
    ['no open target', [], null],
    ['the newest released one', [target(1), target(2)], 2],
    ['a released one before a newer one that is not', [target(1), target(2, unreleased)], 1],
    ['the newest that waits', [target(1, unreleased), target(2, unreleased)], 2],
    ['a started one before newer ones', [target(1, { status: 'installing' }), target(2)], 1],
    [
      'a requested rollback before everything else',
      [
        target(1, { status: 'completed', rollbackVersion: 'v1' }),
        target(2, { status: 'installing' }),
      ],
      1,
    ],
  ];
  for (const [what, targets, day] of TABLE) {
    it(`is: ${what}`, () => {
      expect(currentTarget(targets)?.deploymentId ?? null).to.equal(
        day === null ? null : `deployment of day ${day}`,
      );
    });
  }
});
