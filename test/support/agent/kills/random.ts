/** Numbers that look random and come again with the same seed (mulberry32). */
export type Random = () => number;

/** @param seed any whole number; @returns numbers from 0 up to 1 */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A stream of its own for each trial, so that trials side by side do not disturb each other. */
export function trialRandom(seed: number, trial: number): Random {
  return randomFrom(Math.imul(seed ^ Math.imul(trial + 1, 0x9e3779b1), 0x85ebca6b));
}

/** @returns a whole number from 1 to `max` */
export function oneTo(max: number, random: Random): number {
  return 1 + Math.floor(random() * max);
}
