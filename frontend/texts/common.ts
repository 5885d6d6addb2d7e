/** Texts that every view shares: the page's title, units, errors, and whether the page is live. */
import { devices } from './numbers.ts';

export const page = { title: 'OTA Deployments' };

export const common = {
  none: '–',
  unknown: 'Unknown',
  retryNow: 'Try again',
  close: 'Close',
  back: 'Back',
  breadcrumb: 'Breadcrumb',
  loading: 'Loading…',
  devices,
  of: (part: string, whole: string) => `${part} of ${whole}`,
};

export const units = { days: 'd', hours: 'h', minutes: 'min', seconds: 's' };

export const time = { now: 'just now' };

export const errors = {
  unreachableTitle: 'No connection',
  unreachable: 'The server cannot be reached. The page keeps trying.',
  slowTitle: 'No response yet',
  slow: 'The server took too long to respond. Try again in a moment.',
  signedOutTitle: 'You are signed out',
  signedOut:
    'Your session has expired. Sign in again to continue; your input on this page is kept.',
  signIn: 'Sign in',
  unexpectedTitle: 'Something went wrong',
  unexpectedStatus: (status: number) => `The server responded with status ${status}.`,
  notJson: 'The response could not be read. There may be a proxy between this page and the server.',
  actionFailed: (action: string) => `${action} failed`,
};

export const live = {
  connecting: 'Connecting…',
  live: 'Live',
  stale: 'Stale',
  staleSince: (clock: string) => `Stale since ${clock}`,
  staleHelp: (clock: string | null) =>
    `The server has sent nothing${clock ? ` since ${clock}` : ''}. What you see may be out of date; actions still work if the server responds.`,
  polling: 'Not live',
  lost: 'Connection lost',
  pollingHelp: 'The event stream is not available, so the page polls every 5 seconds.',
  lostHelp: (clock: string | null) =>
    clock ? `Last update ${clock}. Retrying every 5 seconds.` : 'Retrying every 5 seconds.',
  liveHelp: 'Changes appear as they happen.',
};
