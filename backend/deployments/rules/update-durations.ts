/**
 * How long devices take from the release of a batch until they have updated: the wait for the next poll, and the update,
 * whose durations are taken to follow a log-logistic distribution. It has the long tail that updates have (slow networks,
 * slow disks), and a simple formula.
 */
export interface DurationModel {
  pollSeconds: number;
  /** The median duration of an update. */
  medianSeconds: number;
  /** No device takes longer: then it has been given up. */
  longestSeconds: number;
}

/** Larger values mean less different durations. With 6, nine of ten updates take between 0.6 and 1.6 times the median. */
const SHAPE = 6;
/** The share of the interval by which polls are spread, so that devices do not poll at the same time. */
export const POLL_SPREAD = 0.1;
const LONGEST_WAIT = 1 + POLL_SPREAD;
/** Equally likely waits for the next poll, in poll intervals. */
const WAITS = Array.from({ length: 32 }, (_, index) => waitOf((index + 0.5) / 32));
const BISECTIONS = 50;

export function durationModel({
  pollSeconds,
  meanSeconds,
  policy,
}: {
  pollSeconds: number;
  meanSeconds: number;
  policy: { device_timeout_minutes: number };
}): DurationModel {
  const angle = Math.PI / SHAPE;
  return {
    pollSeconds,
    medianSeconds: (Math.max(meanSeconds, 0.1) * Math.sin(angle)) / angle,
    longestSeconds:
      LONGEST_WAIT * pollSeconds + 3 * meanSeconds + policy.device_timeout_minutes * 60,
  };
}

/**
 * Seconds from the release until the last of `devices` has updated, with the given probability. `elapsed`: seconds after
 * which none of them had; the result is not below it.
 */
export function timeOfLast(
  model: DurationModel,
  devices: number,
  probability: number,
  elapsed = 0,
): number {
  // All have updated by t with probability (1 − unfinished(t) ÷ unfinished(elapsed)) ^ devices.
  const wanted = -Math.expm1(Math.log(probability) / devices) * unfinished(model, elapsed);
  let low = elapsed;
  let high = Math.max(model.longestSeconds, 2 * elapsed);
  if (unfinished(model, high) > wanted) return high;
  for (let step = 0; step < BISECTIONS; step += 1) {
    const middle = (low + high) / 2;
    if (unfinished(model, middle) > wanted) low = middle;
    else high = middle;
  }
  return high;
}

/** The share of devices that have not updated after so many seconds. */
function unfinished({ pollSeconds, medianSeconds }: DurationModel, seconds: number): number {
  let sum = 0;
  for (const wait of WAITS) {
    const updating = seconds - wait * pollSeconds;
    sum += updating <= 0 ? 1 : 1 / (1 + (updating / medianSeconds) ** SHAPE);
  }
  return sum / WAITS.length;
}

/**
 * The wait, in poll intervals, that this share of the devices does not exceed. Someone who looks at a random time waits for
 * any part of an interval; few intervals are long enough for the longest waits.
 */
function waitOf(share: number): number {
  if (share <= 1 - POLL_SPREAD) return share;
  return LONGEST_WAIT - Math.sqrt(4 * POLL_SPREAD * (1 - share));
}
