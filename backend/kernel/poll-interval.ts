/** The share of the interval by which polls are spread, so that devices do not poll at the same time. */
export const POLL_SPREAD = 0.1;

/** Seconds until the next poll: the interval ± 10 %. `random` is from 0 to 1. */
export function spreadPoll(intervalSeconds: number, random: number): number {
  return Math.max(1, Math.round(intervalSeconds * (1 - POLL_SPREAD + 2 * POLL_SPREAD * random)));
}
