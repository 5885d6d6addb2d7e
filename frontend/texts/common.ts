/** What every view says: names of the page, units, faults, and whether the page is live. */
import { devices } from './numbers.ts';

export const page = { title: 'OTA Deployments' };

export const common = {
  none: '–',
  unknown: 'Unknown',
  retryNow: 'Try again',
  close: 'Close',
  back: 'Back',
  breadcrumb: 'Way back',
  loading: 'Loading…',
  devices,
  of: (part: string, whole: string) => `${part} of ${whole}`,
};

export const units = { days: 'd', hours: 'h', minutes: 'min', seconds: 's' };

export const time = { now: 'just now' };

export const errors = {
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
};

export const live = {
  connecting: 'Connecting…',
  live: 'Live',
  stale: 'Stale',
  staleSince: (clock: string) => `Stale since ${clock}`,
  staleHelp: (clock: string | null) =>
    `The server has sent nothing${clock ? ` since ${clock}` : ''}. What you see may be out of date; actions still work if the server answers.`,
  polling: 'Not live',
  lost: 'Connection lost',
  pollingHelp: 'The event stream is not available; the page asks every 5 seconds instead.',
  lostHelp: (clock: string | null) =>
    clock ? `Last update ${clock}. Trying again every 5 seconds.` : 'Trying again every 5 seconds.',
  liveHelp: 'Changes appear as they happen.',
};
