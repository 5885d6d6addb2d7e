/** Actions on a deployment or a device, and the questions that confirm them. */
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
  cancelRollback: 'Cancel rollback',
  more: 'More actions',
  keep: 'Keep as is',
  done: {
    start: 'Started',
    pause: 'Paused',
    resume: 'Resumed',
    cancel: 'Cancelled',
    expand: 'Expanded',
    retry: (count: number) => `Retry of ${devices(count)} requested`,
    rollback: (name: string) => `Rollback of ${name} requested`,
    cancelRollback: (name: string) => `Rollback of ${name} cancelled`,
    rollbackMany: (requested: number, failed: number) =>
      failed === 0
        ? `Rollback of ${devices(requested)} requested`
        : `Rollback of ${devices(requested)} requested, ${plural(failed, 'request', 'requests')} failed`,
  },
};

export const confirm = {
  start: {
    title: (name: string) => `Start “${name}”?`,
    all: (total: number) =>
      `The update is released to ${total === 1 ? '1 device' : `all ${devices(total)}`} at once.`,
    staged: (first: number, total: number) =>
      `The update is released to ${devices(first)} now. ${plural(total - first, 'device follows', 'devices follow')} later.`,
    button: (first: number) => `Start on ${devices(first)}`,
  },
  pause: {
    title: (name: string) => `Pause “${name}”?`,
    body: (updating: number, waiting: number) =>
      (updating > 0
        ? `${plural(updating, 'updating device', 'updating devices')} will finish. `
        : '') + `${devices(waiting)} will not be offered the update until you resume.`,
    button: 'Pause',
  },
  resume: {
    title: (name: string) => `Resume “${name}”?`,
    body: (waiting: number) =>
      `The rollout continues for ${plural(waiting, 'waiting device', 'waiting devices')}.`,
    threshold: (failed: number) =>
      `The failure threshold paused this rollout after ${devices(failed)} failed. Resuming accepts these failures; the rollout pauses again if more devices fail.`,
    button: 'Resume',
  },
  cancel: {
    title: (name: string) => `Cancel “${name}”?`,
    body: (waiting: number, updating: number) =>
      updating === 0
        ? `${devices(waiting)} will be skipped. This cannot be undone.`
        : `${devices(waiting)} will be skipped. ${plural(updating, 'updating device stops', 'updating devices stop')} if that is still safe, and ${updating === 1 ? 'finishes' : 'finish'} otherwise. This cannot be undone.`,
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
    addsNone: 'This adds no devices. Choose a higher percentage.',
    failed: (count: number) =>
      `${plural(count, 'canary device', 'canary devices')} failed or rolled back.`,
    early: (count: number) =>
      `This is early: ${plural(count, 'canary device has', 'canary devices have')} not finished yet.`,
    button: (count: number) => `Expand to ${plural(count, 'more device', 'more devices')}`,
  },
  retry: {
    title: (count: number) => `Retry ${devices(count)}?`,
    body: (failed: number, rolledBack: number) => {
      const who = [
        ...(failed > 0 ? [`${devices(failed)} that failed`] : []),
        ...(rolledBack > 0 ? [`${devices(rolledBack)} that rolled back automatically`] : []),
      ].join(' and ');
      return `${who} ${failed + rolledBack === 1 ? 'is' : 'are'} offered the update again, as a new attempt.`;
    },
    one: (name: string) => `${name} is offered the update again, as a new attempt.`,
    button: (count: number) => `Retry ${devices(count)}`,
  },
  cancelRollback: {
    title: (name: string) => `Cancel the rollback of ${name}?`,
    body: (name: string, version: string) =>
      `${name} will not roll back to ${version} and is offered updates again.`,
    button: 'Cancel rollback',
  },
  rollback: {
    title: (name: string) => `Roll back ${name}?`,
    body: (name: string) =>
      `This affects 1 device. ${name} rolls back the next time it checks in. Its status changes once it has reported the rollback.`,
    version: 'Version to roll back to',
    versionHelp: 'Leave empty for the version before this deployment.',
    versionNeeded:
      'The version before this deployment is unknown. Enter the version to roll back to.',
    button: 'Roll back 1 device',
    force: 'Roll back anyway',
    manyTitle: (count: number) => `Roll back ${devices(count)}?`,
    manyBody: (count: number, unaffected: number) =>
      [
        ...(count === 0
          ? ['No failed device needs a rollback.']
          : [
              `${plural(count, 'failed device rolls', 'failed devices roll')} back to the version before this deployment the next time ${count === 1 ? 'it checks in' : 'they check in'}.`,
            ]),
        ...(unaffected > 0
          ? [
              `${devices(unaffected)} already ${unaffected === 1 ? 'runs' : 'run'} that version, or ${unaffected === 1 ? 'is' : 'are'} rolling back.`,
            ]
          : []),
      ].join(' '),
    manyButton: (count: number) => `Roll back ${devices(count)}`,
    manyProgress: (done: number, total: number) =>
      `${number.format(done)} of ${number.format(total)} requested`,
  },
};
