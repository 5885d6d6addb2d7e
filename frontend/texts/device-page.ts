/** The page of one device. */
import { plural } from './numbers.ts';
import type { SkipReason } from '../../backend/contract/states.ts';

const skipped: Record<SkipReason, string> = {
  cancelled: 'The deployment was cancelled.',
  superseded: 'The device completed a newer deployment before.',
  not_checked_in: 'The device did not check in in time.',
  aborted: 'The device stopped the update because the deployment was cancelled.',
  removed: 'The device was removed from Ops-Center.',
  moved: 'The device moved to another organization.',
  not_registered: 'The device was not registered.',
};

export const devicePage = {
  notFoundTitle: 'Device not found',
  notFound: 'It does not exist or belongs to another organization.',
  gone: 'This device is not in your organization any more: it was removed or moved. You see what it had until then.',
  lastSeen: 'Last seen',
  never: 'Never',
  lastPolled: 'Last check-in for updates',
  facts: 'About this device',
  attributes: 'Attributes',
  hardwareId: 'Hardware ID',
  yes: 'yes',
  no: 'no',
  current: { updating: 'Updating', waiting: 'Waiting for its update', rollback: 'Rolling back' },
  idle: 'Nothing to do',
  idleHelp: 'No deployment has an update for this device now.',
  history: 'History',
  historyHelp: 'Every update of this device, newest deployment first',
  none: 'This device has not been part of a deployment yet.',
  noneBefore: 'This device has had no other update.',
  more: 'Show earlier updates',
  details: (deployment: string) => `Details of ${deployment}`,
  versions: (from: string, to: string) => `${from} → ${to}`,
  took: (duration: string) => `took ${duration}`,
  attempts: (count: number) => plural(count, 'attempt', 'attempts'),
  rolledBack: {
    onRequest: 'An admin requested the rollback.',
    byItself: 'The device rolled back by itself.',
  },
  skipped,
  created: 'Deployment created',
};
