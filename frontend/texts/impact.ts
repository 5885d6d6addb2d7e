/** What a rollout changes in the fleet, and the device count that confirms it. */
import { devices, number, plural } from './numbers.ts';

export const impact = {
  title: 'What changes',
  loading: 'Comparing versions…',
  unknown: 'The changes could not be determined',
  share: (count: number, fleet: number) =>
    `${number.format(count)} of ${devices(fleet)} in the fleet`,
  change: {
    upgrade: (count: number) => `${devices(count)} upgraded`,
    downgrade: (count: number) => `${devices(count)} downgraded`,
    same: (count: number) => `${devices(count)} reinstalled with the version already running`,
    unknown: (count: number) => `${devices(count)} whose version is unknown or cannot be compared`,
  },
  type: (type: string, count: number) => `${type} (${number.format(count)})`,
  types: (count: number, list: string) =>
    `${plural(count, 'device type', 'device types')}: ${list}`,
  moreTypes: (count: number) => `${number.format(count)} more`,
  overlap: (count: number) =>
    `${number.format(count)} of these devices also ${count === 1 ? 'belongs' : 'belong'} to`,
  overlapDetails: (version: string, status: string) => `(${version}, ${status})`,
  because: {
    downgrade: (count: number) =>
      `${devices(count)} would get an older version than ${count === 1 ? 'it runs' : 'they run'} now.`,
    several_types: (count: number) =>
      `The package goes to ${number.format(count)} device types. Make sure that it supports all of them.`,
    large_share: (count: number, fleet: number) =>
      `More than a fifth of the fleet gets the update at once: ${number.format(count)} of ${devices(fleet)}.`,
  },
  unprotected: (count: number, total: number) =>
    `${number.format(count)} of ${devices(total)} would not come back by ${count === 1 ? 'itself' : 'themselves'} if the update fails.`,
  /** Follows the sentence above. */
  unreported: (count: number) =>
    `${number.format(count)} ${count === 1 ? 'has' : 'have'} not reported whether ${count === 1 ? 'it' : 'they'} would.`,
  unreportedOnly: (count: number, total: number) =>
    `${number.format(count)} of ${devices(total)} ${count === 1 ? 'has' : 'have'} not reported whether ${count === 1 ? 'it' : 'they'} would come back by ${count === 1 ? 'itself' : 'themselves'} if the update fails.`,
  confirmAtStart: 'You will have to enter the number of devices when you start it.',
  confirm: (count: number) => `To confirm, type the number of devices: ${number.format(count)}`,
};
