/**
 * Everything the page says. A translation is this file with other words; nothing else holds text.
 * Functions are used where a number or a name stands in the sentence, so that a language may order
 * and inflect as it needs.
 */
import type { BatchState, EventType } from '../backend/contract/admin-api.ts';
import type {
  DeploymentStatus,
  DeviceConnectionFilter,
  RolloutStrategy,
  TargetStatus,
  VersionOperator,
} from '../backend/contract/states.ts';

/** Day before month, 24 hours: the same for every reader of the English texts. */
export const locale = 'en-GB';

const number = new Intl.NumberFormat(locale);
const plural = (count: number, one: string, many: string) =>
  `${number.format(count)} ${count === 1 ? one : many}`;
const devices = (count: number) => plural(count, 'device', 'devices');

const deploymentStatus: Record<DeploymentStatus, string> = {
  pending: 'Pending',
  in_progress: 'In progress',
  paused: 'Paused',
  completed: 'Completed',
  failed: 'Failed',
  cancelled: 'Cancelled',
};

const targetStatus: Record<TargetStatus, string> = {
  pending: 'Pending',
  downloading: 'Downloading',
  installing: 'Installing',
  verifying: 'Verifying',
  completed: 'Completed',
  failed: 'Failed',
  skipped: 'Skipped',
  rolled_back: 'Rolled back',
};

const strategy: Record<RolloutStrategy, string> = {
  manual: 'Manual',
  immediate: 'Immediate',
  canary: 'Canary',
  rolling: 'Rolling',
};

const strategyHelp: Record<RolloutStrategy, string> = {
  manual: 'Exactly the devices you pick. For critical updates and single devices.',
  immediate: 'All matching devices at once. For urgent fixes; nothing is tried out first.',
  canary: 'A share of the devices first. The rest follows when you expand.',
  rolling: 'Batch after batch, by itself, as long as the failure threshold is kept.',
};

const operator: Record<VersionOperator, string> = {
  '<': 'lower than',
  '<=': 'lower than or equal',
  '!=': 'not equal',
  '=': 'equal',
  '>': 'higher than',
  '>=': 'higher than or equal',
};

const connection: Record<DeviceConnectionFilter, string> = {
  '': 'Online and offline',
  online: 'Online only',
  offline: 'Offline only',
};

const batchState: Record<BatchState, string> = {
  planned: 'Planned',
  releasing: 'Releasing',
  running: 'Running',
  ended: 'Ended',
};

const eventTitle: Record<EventType, string> = {
  created: 'Deployment created',
  started: 'Started',
  paused: 'Paused',
  resumed: 'Resumed',
  cancelled: 'Cancelled',
  expanded: 'Expanded',
  retried: 'Retried',
  batch_released: 'Batch released',
  completed: 'Completed',
  failed: 'Ended with failures',
  device_failed: 'Device failed',
  device_rolled_back: 'Device rolled back',
  device_timed_out: 'Device timed out',
  devices_skipped: 'Devices skipped',
  rollback_requested: 'Rollback requested',
  rollback_failed: 'Rollback failed',
};

/** Words for the facts an event carries, where the raw value would be cryptic. */
const eventFact: Record<string, string> = {
  failure_threshold: 'failure threshold exceeded',
  admin: 'by hand',
  superseded: 'superseded by a newer deployment',
  not_checked_in: 'did not check in',
  cancelled: 'cancelled',
  aborted: 'stopped by the device',
};

export const texts = {
  page: { title: 'OTA Deployments' },

  common: {
    none: '–',
    unknown: 'Unknown',
    retryNow: 'Try again',
    close: 'Close',
    back: 'Back',
    loading: 'Loading…',
    devices,
    of: (part: string, whole: string) => `${part} of ${whole}`,
  },

  units: { days: 'd', hours: 'h', minutes: 'min', seconds: 's' },
  time: { now: 'just now' },

  status: { deployment: deploymentStatus, target: targetStatus, batch: batchState },
  strategy: { name: strategy, help: strategyHelp },
  risk: { low: 'Low risk', medium: 'Medium risk', high: 'High risk' },
  operator,
  connection,

  errors: {
    unreachableTitle: 'No connection',
    unreachable: 'The server cannot be reached. The page keeps trying.',
    slowTitle: 'No answer yet',
    slow: 'The server took too long to answer. Try again in a moment.',
    signedOutTitle: 'You are signed out',
    signedOut: 'Your session has ended. Sign in again to go on; what you typed here is kept.',
    signIn: 'Sign in',
    unexpectedTitle: 'Something went wrong',
    unexpectedAnswer: (status: number) => `The server answered with status ${status}.`,
    notJson: 'The answer could not be read. A proxy may stand between this page and the server.',
    actionFailed: (action: string) => `${action} did not work`,
  },

  live: {
    connecting: 'Connecting…',
    live: 'Live',
    polling: 'Not live',
    lost: 'Connection lost',
    pollingHelp: 'The event stream is not available; the page asks every 5 seconds instead.',
    lostHelp: (clock: string | null) =>
      clock
        ? `Last update ${clock}. Trying again every 5 seconds.`
        : 'Trying again every 5 seconds.',
    liveHelp: 'Changes appear as they happen.',
  },

  list: {
    newDeployment: 'New Deployment',
    subtitle: 'Staged over-the-air updates for your edge devices',
    deployments: 'Deployments',
    searchLabel: 'Search deployments',
    searchHint: 'Search by name or version',
    statusFilter: 'Filter by status',
    all: 'All',
    columns: {
      name: 'Deployment',
      status: 'Status',
      progress: 'Progress',
      version: 'Target version',
      devices: 'Devices',
      started: 'Started',
      actions: 'Actions',
    },
    failedDevices: (count: number) => `${number.format(count)} failed`,
    notStarted: 'Not started',
    startsAt: 'Starts',
    emptyTitle: 'No deployments yet',
    empty: 'A deployment brings one version to a fixed set of devices, step by step.',
    noMatchTitle: 'Nothing matches',
    noMatch: 'No deployment has this status and text.',
    clearFilters: 'Clear filters',
    pageSummary: (from: number, to: number, total: number) =>
      `${number.format(from)}–${number.format(to)} of ${number.format(total)}`,
    previousPage: 'Previous page',
    nextPage: 'Next page',
    pages: 'Pages',
    open: 'Open',
    actionOn: (action: string, name: string) => `${action} ${name}`,
  },

  metrics: {
    overview: 'Overview',
    successRate: 'Success rate',
    successRateHelp: 'Completed among all updates that ended',
    averageDuration: 'Average duration',
    averageDurationHelp: 'From the start on the device to completion',
    rollbackRate: 'Rollback rate',
    rollbackRateHelp: 'Rolled back among all updates that ended',
    compliance: 'Compliance',
    complianceHelp: 'Devices that run their target version now',
    none: 'No update has ended yet',
    summary: (active: number, total: number, targets: number) =>
      `${number.format(active)} active · ${plural(total, 'deployment', 'deployments')} · ${plural(targets, 'update', 'updates')}`,
    versionsTitle: 'Versions in the fleet',
    versionsSubtitle: 'Devices by type, the newest version first',
    otherVersions: (count: number) => `${number.format(count)} older versions`,
    unknownVersion: 'Unknown version',
    unknownType: 'No type',
    chartLabel: 'Devices by type and version',
    type: 'Device type',
    version: 'Version',
    count: 'Devices',
    noDevices: 'No devices are registered yet.',
    endedTitle: 'Results over time',
    endedLabel: 'Completed, failed and rolled back devices over time',
    endedNone: 'Results appear here as soon as the first device ends.',
    time: 'Time',
  },

  actions: {
    start: 'Start',
    pause: 'Pause',
    resume: 'Resume',
    cancel: 'Cancel',
    expand: 'Expand',
    retry: 'Retry',
    rollback: 'Roll back',
    rollbackFailed: 'Roll back all failed',
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
      rollbackMany: (asked: number, refused: number) =>
        refused === 0
          ? `Rollback of ${devices(asked)} requested`
          : `Rollback of ${devices(asked)} requested, ${number.format(refused)} refused`,
    },
  },

  confirm: {
    start: {
      title: (name: string) => `Start “${name}”?`,
      all: (total: number) =>
        `The update is released to ${total === 1 ? '1 device' : `all ${devices(total)}`} at once.`,
      staged: (first: number, total: number) =>
        `The update is released to ${devices(first)} now. ${devices(total - first)} follow later.`,
      unknown: (total: number) => `This deployment holds ${devices(total)}.`,
      button: (first: number) => `Start on ${devices(first)}`,
    },
    pause: {
      title: (name: string) => `Pause “${name}”?`,
      body: (working: number, waiting: number) =>
        `${devices(working)} at work will finish. ${devices(waiting)} will not be offered the update until you resume.`,
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
      failed: (count: number) => `${devices(count)} of the canary failed or went back.`,
      working: (count: number) => `${devices(count)} of the canary are not done yet.`,
      button: (count: number) => `Expand to ${plural(count, 'more device', 'more devices')}`,
    },
    retry: {
      title: (count: number) => `Retry ${devices(count)}?`,
      body: (count: number) =>
        count === 1
          ? 'The failed device is offered the update again, as a new attempt.'
          : `All ${devices(count)} that failed are offered the update again, as a new attempt.`,
      one: (name: string) => `${name} is offered the update again, as a new attempt.`,
      button: (count: number) => `Retry ${devices(count)}`,
    },
    rollback: {
      title: (name: string) => `Roll back ${name}?`,
      body: (name: string) =>
        `This touches 1 device. ${name} goes back when it next checks in; it is shown as rolled back when the device says so.`,
      version: 'Version to go back to',
      versionHelp: 'Leave empty for the version before this deployment.',
      versionNeeded: 'The version before this deployment is unknown; name the one to go back to.',
      button: 'Roll back 1 device',
      manyTitle: (count: number) => `Roll back ${devices(count)}?`,
      manyBody: (count: number) =>
        `${devices(count)} that failed will go back to the version before this deployment when they next check in.`,
      manyButton: (count: number) => `Roll back ${devices(count)}`,
      manyProgress: (done: number, total: number) =>
        `${number.format(done)} of ${number.format(total)} asked`,
    },
  },

  detail: {
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
      awaitingExpansion: (rest: number) =>
        `The canary is done. Look at its results, then expand to the other ${devices(rest)}.`,
      canaryRunning: (rest: number) =>
        `The canary is running. ${devices(rest)} wait until you expand.`,
      pausedAdmin:
        'Paused by hand. Devices at work finish; nothing new is offered until you resume.',
      pausedThreshold: (failed: number, percent: string) =>
        `Stopped by the failure threshold: ${devices(failed)} failed, more than ${percent} of those that ended. Look at the errors, then resume or cancel.`,
      completed: (skipped: number) =>
        skipped === 0
          ? 'All devices are done.'
          : `Done. ${devices(skipped)} were skipped: superseded, cancelled or not checked in.`,
      failed: (failed: number, back: number) =>
        back === 0
          ? `Ended; ${devices(failed)} failed. Retry offers the update to them again.`
          : `Ended; ${devices(failed)} failed and ${number.format(back)} went back to the version before.`,
      cancelled: (skipped: number) => `Cancelled; ${devices(skipped)} were skipped.`,
    },
    batches: 'Batches',
    batch: (index: number) => `Batch ${number.format(index)}`,
    batchCanary: 'Canary',
    batchRest: 'The rest',
    batchDone: (done: number, size: number) =>
      `${number.format(done)} of ${number.format(size)} ended`,
    batchFailed: (count: number) => `${number.format(count)} failed`,
    batchShow: (index: number) => `Show the devices of batch ${number.format(index)}`,
    folded: (count: number, size: number) =>
      `${plural(count, 'batch', 'batches')} · ${devices(size)}`,
    waits: {
      start: 'Waits for the start',
      expand: 'Waits until you expand',
      before: (index: number, open: number) =>
        `Waits for ${devices(open)} of batch ${number.format(index)}`,
      resume: 'Waits until you resume',
      after: (index: number) => `After batch ${number.format(index)}`,
      next: 'Is released next',
    },
    tabs: { devices: 'Devices', timeline: 'Timeline', settings: 'Package and settings' },
    figures: 'Figures',
  },

  targets: {
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
  },

  device: {
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
    log: 'Installation log',
    logAttempt: (attempt: number) => `Attempt ${attempt}`,
    logNone: 'The device has sent no installation log for this deployment.',
    logReload: 'Reload log',
  },

  timeline: {
    title: 'Timeline',
    none: 'Nothing has happened yet.',
    more: 'Show earlier events',
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
  },

  settings: {
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
  },

  wizard: {
    title: 'New Deployment',
    steps: {
      basic: 'Basic Info',
      devices: 'Target Devices',
      package: 'Update Package',
      review: 'Review and Create',
    },
    stepOf: (index: number, total: number) => `Step ${index} of ${total}`,
    stepState: { done: 'done', current: 'current', fault: 'needs attention', open: 'not done yet' },
    next: 'Next',
    create: 'Create Deployment',
    discard: 'Discard draft',
    discardTitle: 'Discard this draft?',
    discardBody: 'What you entered is deleted. No device is touched.',
    draftKept: 'Draft kept in this tab',
    faultsTitle: (count: number) => `${plural(count, 'entry needs', 'entries need')} attention`,
    createFailed: 'The deployment was not created',
    fields: {
      deployment_name: 'Deployment Name',
      target_version: 'Target Version',
      rollout_strategy: 'Rollout Strategy',
      canary_percentage: 'Canary Percentage',
      rolling_percentage: 'Batch Percentage',
      batch_size: 'Batch Size',
      device_type: 'Device Type',
      version_operator: 'Version Operator',
      current_version: 'Current Version',
      status: 'Device Status',
      update_package_url: 'Update Package URL',
      checksum: 'SHA256 Checksum',
      release_notes: 'Release Notes',
      failure_threshold_percent: 'Failure threshold',
      failure_min_devices: 'Looked at from',
      device_timeout_minutes: 'Device timeout',
      pickup_timeout_hours: 'Pickup timeout',
      scheduled_at: 'Scheduled start',
      manifest: 'Signed manifest',
      signature: 'Signature',
      device_ids: 'Devices',
    } as Record<string, string>,
    help: {
      deployment_name: 'For example “Firmware Update v2.1.0”.',
      target_version: 'What the devices run afterwards, for example v2.1.0.',
      canary_percentage: 'Share of the devices that try the update first.',
      rolling_by: 'Size of each batch',
      rolling_percentage: 'Share of the devices in each batch, at least 5 devices.',
      batch_size: 'Devices in each batch.',
      device_type: 'Leave empty for every type.',
      current_version: 'The version a device runs now. Leave empty for every version.',
      update_package_url:
        'Must begin with https:// and point to a .tar.gz with install.sh at its root.',
      checksum: '64 hexadecimal digits, as printed by sha256sum; sha256: in front is fine.',
      release_notes: 'Shown to admins and sent to the devices.',
      failure_threshold_percent: 'Pauses the rollout when more of the ended devices failed.',
      failure_min_devices: 'Ended devices before the threshold counts.',
      device_timeout_minutes: 'A device without a report for so long has failed.',
      pickup_timeout_hours: 'A device that never checks in is skipped. 0 waits without an end.',
      scheduled_at: 'In your time zone. Leave empty to start by hand.',
      manifest: 'Only for devices that demand signed updates.',
      signature: 'Signature over the exact text of the manifest.',
    },
    safety: 'Safety and schedule',
    safetyHelp: 'Failure threshold, timeouts, scheduled start. The defaults suit most rollouts.',
    signed: 'Signed update',
    thresholdOff: 'No failure threshold',
    unitPercent: '%',
    unitDevices: 'devices',
    unitMinutes: 'minutes',
    unitHours: 'hours',
    byPercentage: 'Percentage',
    byCount: 'Number of devices',
    pickMode: 'Choose devices',
    pickByFilter: 'By filters',
    pickByHand: 'Pick by hand',
    picker: {
      title: 'Devices',
      search: 'Search devices',
      searchHint: 'Search by name or hardware ID',
      type: 'Type',
      allTypes: 'All types',
      status: 'Status',
      allStatuses: 'Online and offline',
      picked: (count: number) => `${number.format(count)} picked`,
      clear: 'Clear',
      onlyPicked: 'Only picked',
      select: (name: string) => `Pick ${name}`,
      none: 'No device matches the search.',
      online: 'Online',
      offline: 'Offline',
      selectLoaded: (count: number) => `Pick the ${number.format(count)} shown`,
    },
    preview: {
      title: 'Matching devices',
      match: (count: number) => (count === 1 ? 'device matches' : 'devices match'),
      none: 'No device matches these filters.',
      noneHelp: 'Loosen a filter; a deployment needs at least one device.',
      nonePicked: 'Pick at least one device.',
      byType: 'By type',
      byVersion: 'By version now',
      more: (count: number) => `${number.format(count)} more`,
      notComparable: (count: number) => `${devices(count)} cannot be compared`,
      notComparableHelp:
        'Their version is not made of numbers, so they are left out of an ordering (<, <=, >, >=).',
      alreadyThere: (count: number, version: string) =>
        `${devices(count)} among them already run ${version}.`,
      failed: 'The number of matching devices is not known right now.',
      updating: 'Counting…',
    },
    plan: {
      title: 'What will happen',
      afterStart: 'Created as Pending. Nothing is sent to a device until it is started.',
      afterSchedule: (when: string) => `Created as Pending. It starts by itself ${when}.`,
      all: (total: number) =>
        total === 1 ? '1 device when you start' : `All ${devices(total)} when you start`,
      canary: (first: number, rest: number) =>
        rest === 0
          ? `${devices(first)} now; nothing is left to expand to`
          : `${devices(first)} now, ${number.format(rest)} after you expand`,
      rolling: (first: number, batches: number, last: number) =>
        batches === 1
          ? `${devices(first)} in one batch`
          : `${plural(batches, 'batch', 'batches')} of ${devices(first)}, one after the other${last === first ? '' : ` (the last has ${number.format(last)})`}`,
      none: 'No device matches; there is nothing to roll out.',
    },
    review: {
      edit: (step: string) => `Edit ${step}`,
      editShort: 'Edit',
      empty: 'Not given',
      all: 'All devices',
    },
    faults: {
      required: (field: string) => `${field} is required.`,
      https: 'The address must begin with https://.',
      url: 'This is not an address.',
      checksum: 'A SHA-256 checksum has 64 hexadecimal digits (0–9, a–f).',
      checksumLength: (length: number) =>
        `A SHA-256 checksum has 64 hexadecimal digits; this has ${length}.`,
      range: (from: number, to: number) => `Enter a whole number from ${from} to ${to}.`,
      atLeast: (from: number) => `Enter a whole number, ${from} or more.`,
      past: 'This moment is in the past.',
      pick: 'Pick at least one device.',
      pair: 'Manifest and signature belong together; give both or none.',
    },
    created: (name: string) => `“${name}” was created. Start it when you are ready.`,
  },
};
