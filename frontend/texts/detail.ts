/** One deployment: where it stands, its devices, its timeline, its settings. */
import { devices, number, plural } from './numbers.ts';
import { eventFact, eventTitle } from './words.ts';

export const detail = {
  backToList: 'All deployments',
  created: 'Created',
  started: 'Started',
  ended: 'Ended',
  scheduled: 'Starts',
  strategy: 'Strategy',
  target: 'Target version',
  notFoundTitle: 'No such deployment',
  notFound: 'It does not exist, or it belongs to another organization.',
  progress: 'Progress',
  updated: (done: string, total: string) => `${done} of ${total} updated`,
  showOnly: (status: string, count: number) => `Show the ${devices(count)}: ${status}`,
  now: {
    notStarted: (total: number) => `Ready. Start it to offer the update to ${devices(total)}.`,
    scheduled: (when: string) => `Starts by itself ${when}. You can also start it now.`,
    rollingOut: (waiting: number, working: number) =>
      `${devices(working)} at work, ${number.format(waiting)} waiting.`,
    rollingBatch: (index: number, batches: number, waiting: number, working: number) =>
      `Batch ${number.format(index)} of ${number.format(batches)} is running: ${devices(working)} at work, ${number.format(waiting)} waiting.`,
    awaitingExpansion: (completed: number, unsuccessful: number, rest: number) => {
      const results = [
        `${number.format(completed)} updated`,
        ...(unsuccessful > 0 ? [`${number.format(unsuccessful)} failed or rolled back`] : []),
      ].join(', ');
      const advice = unsuccessful > 0 ? 'Look at the errors before you' : 'You can now';
      return completed + unsuccessful === 0
        ? `The canary has finished without updating a device, so it proves nothing yet. ${plural(rest, 'device waits', 'devices wait')} until you expand.`
        : `The canary has finished: ${results}. ${advice} expand to the other ${devices(rest)}.`;
    },
    canaryRunning: (working: number, waiting: number, rest: number) =>
      `The canary is running: ${devices(working)} updating, ${number.format(waiting)} waiting. The other ${devices(rest)} wait until you expand.`,
    pausedAdmin: 'Paused by hand. Devices at work finish; nothing new is offered until you resume.',
    pausedThreshold: (failed: number, percent: string) =>
      `Stopped by the failure threshold: ${devices(failed)} failed, more than ${percent} of those that ended. Look at the errors, then resume or cancel.`,
    completed: (skipped: number) =>
      skipped === 0
        ? 'All devices are done.'
        : `Done. ${devices(skipped)} skipped: superseded, cancelled or not checked in.`,
    failed: (failed: number, back: number) =>
      back === 0
        ? `Ended; ${devices(failed)} failed. Retry offers the update again.`
        : `Ended; ${devices(failed)} failed and ${number.format(back)} went back to the version before.`,
    cancelled: (skipped: number) => `Cancelled; ${devices(skipped)} skipped.`,
  },
  batches: 'Batches',
  batch: (index: number) => `Batch ${number.format(index)}`,
  batchCanary: 'Canary',
  batchRest: 'The rest',
  batchDone: (done: number, size: number) =>
    `${number.format(done)} of ${number.format(size)} ended`,
  batchFailed: (count: number) => `${number.format(count)} failed`,
  batchSkipped: (count: number) => `${number.format(count)} skipped`,
  batchRolledBack: (count: number) => `${number.format(count)} rolled back`,
  batchShow: (index: number) => `Show the devices of batch ${number.format(index)}`,
  batchRange: (from: number, to: number) => `Batches ${number.format(from)}–${number.format(to)}`,
  batchCount: (count: number) => plural(count, 'batch', 'batches'),
  foldOpen: (count: number) => `Show the ${plural(count, 'batch', 'batches')}`,
  foldClose: (count: number) => `Fold the ${plural(count, 'batch', 'batches')}`,
  waits: {
    start: 'Waits for the start',
    expand: 'Waits until you expand',
    before: (index: number, open: number) =>
      `Waits for ${devices(open)} of batch\u00a0${number.format(index)}`,
    resume: 'Waits until you resume',
    after: (index: number) => `After batch ${number.format(index)}`,
    next: 'Is released next',
  },
  tabs: { devices: 'Devices', timeline: 'Timeline', settings: 'Package and settings' },
  figures: 'Figures',
};

export const targets = {
  caption: 'Devices of this deployment',
  columns: {
    device: 'Device',
    status: 'Status',
    batch: 'Batch',
    version: 'Runs now',
    attempt: 'Attempt',
    last: 'Last report',
    error: 'Error',
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
  rollbackPending: (version: string) => `Goes back to ${version}`,
  unnamed: 'Unnamed device',
  details: (name: string) => `Details of ${name}`,
  noReport: 'No report yet',
};

export const device = {
  id: 'Device ID',
  type: 'Type',
  runs: 'Runs now',
  before: 'Before this deployment',
  batch: 'Batch',
  attempt: 'Attempt',
  started: 'Started',
  ended: 'Ended',
  lastReport: 'Last report',
  duration: 'Duration',
  error: 'Error',
  earlierError: (attempt: number, status: string) => `Attempt ${attempt}: ${status}`,
  runsVersionBefore: (version: string) =>
    `The device runs ${version}, as it did before this deployment: there is nothing to roll back.`,
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
  logNotCopied: 'The browser did not allow copying',
  logDownload: 'Download log',
};

export const timeline = {
  title: 'Timeline',
  none: 'Nothing has happened yet.',
  more: 'Show earlier events',
  from: (address: string) => `from ${address}`,
  event: eventTitle,
  fact: eventFact,
  factName: {
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
    `Pauses above ${percent} % failed, from ${devices(from)} ended on`,
  off: 'Off',
  deviceTimeout: 'Device timeout',
  deviceTimeoutValue: (minutes: number) =>
    `Fails after ${plural(minutes, 'minute', 'minutes')} without a report`,
  pickup: 'Pickup timeout',
  pickupValue: (hours: number) =>
    `Skipped after ${plural(hours, 'hour', 'hours')} without checking in`,
};
