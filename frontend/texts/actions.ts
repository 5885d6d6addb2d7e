/** What can be done to a deployment or a device, and the questions asked before. */
import { devices, number, plural } from './numbers.ts';

export const actions = {
  start: 'Start',
  pause: 'Pause',
  resume: 'Resume',
  cancel: 'Cancel',
  expand: 'Expand',
  retry: 'Retry',
  rollback: 'Roll back',
  rollbackFailed: 'Roll back all failed',
  withdraw: 'Withdraw',
  more: 'More actions',
  keep: 'Keep as it is',
  done: {
    start: 'Started',
    pause: 'Paused',
    resume: 'Resumed',
    cancel: 'Cancelled',
    expand: 'Expanded',
    retry: (count: number) => `${devices(count)} will try again`,
    rollback: (name: string) => `Rollback of ${name} requested`,
    withdraw: (name: string) => `Rollback of ${name} withdrawn`,
    rollbackMany: (asked: number, refused: number) =>
      refused === 0
        ? `Rollback of ${devices(asked)} requested`
        : `Rollback of ${devices(asked)} requested, ${number.format(refused)} refused`,
  },
};

export const confirm = {
  start: {
    title: (name: string) => `Start “${name}”?`,
    all: (total: number) =>
      `The update is released to ${total === 1 ? '1 device' : `all ${devices(total)}`} at once.`,
    staged: (first: number, total: number) =>
      `The update is released to ${devices(first)} now. ${plural(total - first, 'device follows', 'devices follow')} later.`,
    unknown: (total: number) => `This deployment holds ${devices(total)}.`,
    button: (first: number) => `Start on ${devices(first)}`,
  },
  pause: {
    title: (name: string) => `Pause “${name}”?`,
    body: (working: number, waiting: number) =>
      (working > 0 ? `${devices(working)} at work will finish. ` : '') +
      `${devices(waiting)} will not be offered the update until you resume.`,
    button: 'Pause',
  },
  resume: {
    title: (name: string) => `Resume “${name}”?`,
    body: (waiting: number) => `${devices(waiting)} will go on where the rollout stopped.`,
    threshold: (failed: number) =>
      `The failure threshold stopped this rollout after ${devices(failed)} failed. Resuming overrides it until more fail.`,
    button: 'Resume',
  },
  cancel: {
    title: (name: string) => `Cancel “${name}”?`,
    body: (waiting: number, working: number) =>
      working === 0
        ? `${devices(waiting)} will be skipped. This cannot be undone.`
        : `${devices(waiting)} will be skipped. ${devices(working)} at work are stopped where that is safe, otherwise they finish. This cannot be undone.`,
    button: (waiting: number) => `Cancel for ${devices(waiting)}`,
  },
  expand: {
    title: (name: string) => `Expand “${name}”?`,
    body: (released: number, total: number) =>
      `The update has been released to ${number.format(released)} of ${devices(total)}.`,
    percentage: 'Expand to',
    percentageUnit: '% of all devices',
    adds: (count: number) =>
      `Releases the update to ${plural(count, 'more device', 'more devices')}.`,
    addsNone: 'This adds no device; choose a higher percentage.',
    failed: (count: number) => `${devices(count)} of the canary failed or rolled back.`,
    early: (count: number) =>
      `This is early: ${devices(count)} of the canary ${count === 1 ? 'has' : 'have'} not finished yet.`,
    button: (count: number) => `Expand to ${plural(count, 'more device', 'more devices')}`,
  },
  retry: {
    title: (count: number) => `Retry ${devices(count)}?`,
    body: (failed: number, rolledBack: number) => {
      const who = [
        ...(failed > 0 ? [`${devices(failed)} that failed`] : []),
        ...(rolledBack > 0
          ? [
              `${devices(rolledBack)} that rolled back by ${rolledBack === 1 ? 'itself' : 'themselves'}`,
            ]
          : []),
      ].join(' and ');
      return `${who} ${failed + rolledBack === 1 ? 'is' : 'are'} offered the update again, as a new attempt.`;
    },
    one: (name: string) => `${name} is offered the update again, as a new attempt.`,
    button: (count: number) => `Retry ${devices(count)}`,
  },
  withdraw: {
    title: (name: string) => `Withdraw the rollback of ${name}?`,
    body: (name: string, version: string) =>
      `${name} is no longer asked to go back to ${version}, and is offered updates again.`,
    button: 'Withdraw the rollback',
  },
  rollback: {
    title: (name: string) => `Roll back ${name}?`,
    body: (name: string) =>
      `This touches 1 device. ${name} goes back when it next checks in; it is shown as rolled back when the device says so.`,
    version: 'Version to go back to',
    versionHelp: 'Leave empty for the version before this deployment.',
    versionNeeded: 'The version before this deployment is unknown; name the one to go back to.',
    button: 'Roll back 1 device',
    force: 'Roll back anyway',
    manyTitle: (count: number) => `Roll back ${devices(count)}?`,
    manyBody: (count: number, untouched: number) =>
      [
        ...(count === 0
          ? ['No device that failed has to be rolled back.']
          : [
              `${devices(count)} that failed ${count === 1 ? 'rolls back' : 'roll back'} to the version before this deployment when ${count === 1 ? 'it next checks in' : 'they next check in'}.`,
            ]),
        ...(untouched > 0
          ? [
              `${devices(untouched)} already ${untouched === 1 ? 'runs' : 'run'} that version, or ${untouched === 1 ? 'is' : 'are'} rolling back.`,
            ]
          : []),
      ].join(' '),
    manyButton: (count: number) => `Roll back ${devices(count)}`,
    manyProgress: (done: number, total: number) =>
      `${number.format(done)} of ${number.format(total)} asked`,
  },
};
