/** Decides about a device request whose token is bound to no device. */

export type RefusalReason = 'window_closed' | 'other_token' | 'hardware_changed';

/** An earlier refused request of a device. */
export interface RememberedRequest {
  /** Hexadecimal, as all hashes here. */
  tokenHash: string;
  /** Recorded less than {@link WRITE_INTERVAL_SECONDS} ago. */
  isRecent: boolean;
  /** Not seen for {@link FORGET_HOURS}, or dismissed: a new token may take its place. */
  isReplaceable: boolean;
  /** Dismissed less than {@link DISMISSED_HOURS} ago. */
  isDismissed: boolean;
}

/** A registered device as its claims are judged. */
export interface DeviceStanding {
  deviceId: string;
  organizationId: string;
  /** `edge_devices.device_id` */
  hardwareId: string;
  /** What lets it enrol by itself now. */
  window: 'registration' | 'organization' | null;
  /** `null`: it was never enrolled. */
  enrolment: {
    /** `null`: revoked. */
    tokenHash: string | null;
    hardwareId: string;
  } | null;
  requests: readonly RememberedRequest[];
}

export const MAX_REQUESTS_PER_DEVICE = 5;
export const WRITE_INTERVAL_SECONDS = 60;
export const FORGET_HOURS = 1;
/** A dismissal by mistake must not lock a device out for good. */
export const DISMISSED_HOURS = 24;

/** `enrolled`: another request of the same device has just enrolled this token. */
export type Verdict = 'enrolled' | 'enrol' | RefusalReason;

export function judge(device: DeviceStanding, tokenHash: string): Verdict {
  const { enrolment } = device;
  if (enrolment) {
    // A thief's token must not come back by first use after its revocation: only an admin can admit a token.
    if (enrolment.tokenHash === null) return 'window_closed';
    if (enrolment.hardwareId !== device.hardwareId) return 'hardware_changed';
    return enrolment.tokenHash === tokenHash ? 'enrolled' : 'other_token';
  }
  const isDismissed = device.requests.some(
    (request) => request.tokenHash === tokenHash && request.isDismissed,
  );
  return device.window !== null && !isDismissed ? 'enrol' : 'window_closed';
}

/**
 * The refused tokens of one device to record, at most {@link MAX_REQUESTS_PER_DEVICE}. A token is recorded once a
 * minute, and not while it is dismissed. A new token takes a free place, or that of a token that has not been
 * seen for an hour or is dismissed. While five others are still trying, it is not recorded: otherwise a flood of
 * tokens would write for each one, and push the device's own token off the list.
 */
export function tokensToRecord(
  requests: readonly RememberedRequest[],
  refused: readonly string[],
): string[] {
  const known = new Map(requests.map((request) => [request.tokenHash, request]));
  // A replaceable request whose token is seen again keeps its place.
  const kept = requests.filter(
    ({ tokenHash, isReplaceable, isDismissed }) =>
      !isReplaceable || (!isDismissed && refused.includes(tokenHash)),
  ).length;
  let free = MAX_REQUESTS_PER_DEVICE - kept;
  return [...new Set(refused)].filter((tokenHash) => {
    const request = known.get(tokenHash);
    if (request) return !request.isRecent && !request.isDismissed;
    free -= 1;
    return free >= 0;
  });
}
