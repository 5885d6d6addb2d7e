/** One deployment: its current state, devices, timeline and settings. */
import { devices, number, plural } from './numbers.ts';
import { eventReason, eventTitle } from './labels.ts';

export const detail = {
  backToList: 'All deployments',
  created: 'Created',
  started: 'Started',
  finished: 'Finished',
  scheduled: 'Starts',
  strategy: 'Strategy',
  target: 'Target version',
  notFoundTitle: 'Deployment not found',
  notFound: 'It does not exist or belongs to another organization.',
  progress: 'Progress',
  updated: (done: string, total: string) => `${done} of ${total} updated`,
  showOnly: (status: string, count: number) => `Show ${devices(count)} with status ${status}`,
  phase: {
    notStarted: (total: number) => `Ready. Start it to offer the update to ${devices(total)}.`,
    scheduled: (when: string) => `Starts automatically ${when}. You can also start it now.`,
    rollingOut: (waiting: number, updating: number) =>
      `${devices(updating)} updating, ${number.format(waiting)} waiting.`,
    rollingBatch: (index: number, batches: number, waiting: number, updating: number) =>
      `Batch ${number.format(index)} of ${number.format(batches)} is running: ${devices(updating)} updating, ${number.format(waiting)} waiting.`,
    awaitingExpansion: (completed: number, unsuccessful: number, rest: number) => {
      const results = [
        `${number.format(completed)} updated`,
        ...(unsuccessful > 0 ? [`${number.format(unsuccessful)} failed or rolled back`] : []),
      ].join(', ');
      const advice = unsuccessful > 0 ? 'Check the errors before you' : 'You can now';
      return completed + unsuccessful === 0
        ? `The canary has finished without updating a device, so the update is still untested. ${plural(rest, 'device waits', 'devices wait')} until you expand.`
        : `The canary has finished: ${results}. ${advice} expand to the remaining ${devices(rest)}.`;
    },
    canaryRunning: (updating: number, waiting: number, rest: number) =>
      `The canary is running: ${devices(updating)} updating, ${number.format(waiting)} waiting. The remaining ${devices(rest)} wait until you expand.`,
    pausedAdmin:
      'Paused manually. Updating devices finish; no other device is offered the update until you resume.',
    pausedThreshold: (failed: number, percent: string) =>
      `Paused by the failure threshold: ${devices(failed)} failed, more than ${percent} of those that finished. Check the errors, then resume or cancel.`,
    completed: (skipped: number) =>
      skipped === 0
        ? 'All devices have finished.'
        : `Completed. ${devices(skipped)} skipped: superseded, cancelled or not checked in.`,
    failed: (failed: number, rolledBack: number) =>
      rolledBack === 0
        ? `Finished: ${devices(failed)} failed. Retry to offer the update again.`
        : `Finished: ${devices(failed)} failed and ${number.format(rolledBack)} rolled back to the previous version.`,
    cancelled: (skipped: number) => `Cancelled: ${devices(skipped)} skipped.`,
  },
  batches: 'Batches',
  batch: (index: number) => `Batch ${number.format(index)}`,
  batchCanary: 'Canary',
  batchExpansion: 'Expansion',
  batchFinished: (finished: number, size: number) =>
    `${number.format(finished)} of ${number.format(size)} finished`,
  batchFailed: (count: number) => `${number.format(count)} failed`,
  batchSkipped: (count: number) => `${number.format(count)} skipped`,
  batchRolledBack: (count: number) => `${number.format(count)} rolled back`,
  batchShow: (index: number) => `Show the devices of batch ${number.format(index)}`,
  batchRange: (from: number, to: number) => `Batches ${number.format(from)}–${number.format(to)}`,
  batchCount: (count: number) => plural(count, 'batch', 'batches'),
  foldOpen: (count: number) => `Show ${plural(count, 'batch', 'batches')}`,
  foldClose: (count: number) => `Hide ${plural(count, 'batch', 'batches')}`,
  waiting: {
    start: 'Waiting to be started',
    expand: 'Waiting for you to expand',
    before: (index: number, open: number) =>
      `Waiting for ${devices(open)} of batch\u00a0${number.format(index)}`,
    resume: 'Waiting for you to resume',
    after: (index: number) => `After batch ${number.format(index)}`,
    next: 'Released next',
  },
  tabs: { devices: 'Devices', timeline: 'Timeline', settings: 'Package and settings' },
  figures: 'Key figures',
};

export const targets = {
  caption: 'Devices of this deployment',
  columns: {
    device: 'Device',
    status: 'Status',
    waiting: 'Waiting for',
    batch: 'Batch',
    version: 'Current version',
    attempt: 'Attempt',
    last: 'Last report',
    error: 'Error',
    page: 'Page',
  },
  searchLabel: 'Search devices',
  searchHint: 'Search by device name',
  statusFilter: 'Device status',
  batchFilter: 'Batch',
  allStatuses: 'All statuses',
  allBatches: 'All batches',
  shown: (loaded: number, total: number | null) =>
    total === null
      ? `${devices(loaded)} loaded`
      : `${number.format(loaded)} of ${devices(total)} loaded`,
  newer: (count: number) => `${devices(count)} changed · Refresh`,
  refresh: 'Refresh',
  emptyTitle: 'No device matches',
  empty: 'Change the filters to see other devices.',
  notReleased: 'Not released yet',
  rollbackRequested: (version: string) => `Rollback to ${version} requested`,
  unnamed: 'Unnamed device',
  details: (name: string) => `Details of ${name}`,
  noReport: 'No report yet',
  openPage: 'Everything about this device',
  pageOf: (name: string) => `Page of ${name}`,
};

export const device = {
  id: 'Device ID',
  openPage: 'Everything about this device, and its history',
  type: 'Type',
  currentVersion: 'Current version',
  previousVersion: 'Previous version',
  batch: 'Batch',
  attempt: 'Attempt',
  started: 'Started',
  finished: 'Finished',
  lastReport: 'Last report',
  duration: 'Duration',
  error: 'Error',
  errorBecause: (cause: string) => `Error: ${cause}`,
  earlierError: (attempt: number, result: string) => `Attempt ${attempt}: ${result}`,
  because: (status: string, cause: string) => `${status} (${cause})`,
  protection: 'Protected by',
  protectionUnknown: 'Not reported',
  unprotected: 'The device would not come back by itself if the update fails.',
  components: 'Components',
  runsPreviousVersion: (version: string) =>
    `The device runs ${version}, the version before this deployment. There is nothing to roll back.`,
  log: 'Installation log',
  logAttempt: (attempt: number) => `Attempt ${attempt}`,
  logNone: 'The device has sent no installation log for this deployment.',
  logReload: 'Reload log',
  logTools: (attempt: number) => `Search and save the log of attempt ${attempt}`,
  logSearch: 'Search this log',
  logMatch: (current: string, total: string) => `${current} of ${total}`,
  logNoMatch: 'No match',
  logNext: 'Next match (Enter)',
  logPrevious: 'Previous match (Shift+Enter)',
  logCopy: 'Copy log',
  logCopied: 'Copied',
  logNotCopied: 'The browser blocked copying',
  logDownload: 'Download log',
};

export const timeline = {
  title: 'Timeline',
  none: 'No events yet.',
  more: 'Show earlier events',
  from: (address: string) => `from ${address}`,
  event: eventTitle,
  reason: eventReason,
  data: {
    batch: (value: string) => `batch ${value}`,
    devices: (value: number) => devices(value),
    percentage: (value: string) => `to ${value} %`,
    version: (value: string) => `to ${value}`,
    failures: (count: number, percent: number) =>
      `${devices(count)} failed, threshold ${percent} %`,
  },
  device: 'Device',
  system: 'System',
  by: (name: string) => `by ${name}`,
  byOn: (name: string, device: string) => `by ${name}, on ${device}`,
  deviceId: (id: string) => `device ${id.slice(0, 8)}`,
};

export const settings = {
  package: 'Update package',
  url: 'Update Package URL',
  checksum: 'SHA256 Checksum',
  notes: 'Release Notes',
  noNotes: 'No release notes.',
  filters: 'Target devices',
  noFilters: 'All devices of the organization',
  picked: (count: number) => `${devices(count)} picked by hand`,
  policy: 'Safety policy',
  threshold: 'Failure threshold',
  thresholdValue: (percent: number, from: number) =>
    `Pauses when more than ${percent} % failed, once ${devices(from)} finished`,
  off: 'Off',
  deviceTimeout: 'Device timeout',
  deviceTimeoutValue: (minutes: number) =>
    `Fails after ${plural(minutes, 'minute', 'minutes')} without a report`,
  pickup: 'Pickup timeout',
  represents: 'First batch in proportion by',
  representsValue: (attributes: string[]) => ['device type', 'version', ...attributes].join(', '),
  pickupValue: (hours: number) =>
    `Skipped after ${plural(hours, 'hour', 'hours')} without checking in`,
};
