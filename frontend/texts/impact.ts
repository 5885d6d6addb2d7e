/** What a rollout changes in the fleet, and the number that is asked for before it. */
import { devices, number, plural } from './numbers.ts';

export const impact = {
  title: 'What changes',
  loading: 'Comparing versions…',
  unknown: 'What would change is not known right now',
  share: (count: number, fleet: number) =>
    `${number.format(count)} of ${devices(fleet)} in the fleet`,
  change: {
    upgrade: (count: number) => `${devices(count)} upgraded`,
    downgrade: (count: number) => `${devices(count)} downgraded`,
    same: (count: number) => `${devices(count)} re-installed: they run this version already`,
    unknown: (count: number) => `${devices(count)} whose version is unknown or cannot be compared`,
  },
  type: (type: string, count: number) => `${type} (${number.format(count)})`,
  types: (count: number, list: string) =>
    `${plural(count, 'device type', 'device types')}: ${list}`,
  moreTypes: (count: number) => `${number.format(count)} more`,
  overlap: (count: number) =>
    `${number.format(count)} of these devices also ${count === 1 ? 'belongs' : 'belong'} to`,
  overlapFacts: (version: string, status: string) => `(${version}, ${status})`,
  because: {
    downgrade: (count: number) =>
      `${devices(count)} would get an older version than ${count === 1 ? 'it runs' : 'they run'} now.`,
    several_types: (count: number) =>
      `One package goes to ${number.format(count)} device types. Make sure that it fits all of them.`,
    large_share: (count: number, fleet: number) =>
      `More than a fifth of the fleet gets the update at once: ${number.format(count)} of ${devices(fleet)}.`,
  },
  asksAtStart: 'Starting it will ask for the number of devices.',
  confirm: (count: number) => `To confirm, type the number of devices: ${number.format(count)}`,
};
