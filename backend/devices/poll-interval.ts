import { POLL_SPREAD } from '../deployments/rules/update-durations.ts';

/** Seconds until the next poll: the interval ± 10 %. `random` is from 0 to 1. */
export function spreadPoll(intervalSeconds: number, random: number): number {
  return Math.max(1, Math.round(intervalSeconds * (1 - POLL_SPREAD + 2 * POLL_SPREAD * random)));
}
