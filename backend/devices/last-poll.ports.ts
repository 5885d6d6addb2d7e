import { token } from '../kernel/token.ts';

/** Devices that polled at about the same time. */
export interface PolledDevices {
  /** The organization of each device, by the id of the device. */
  organizations: ReadonlyMap<string, string>;
  /** Seconds since the first of these polls. */
  ageSeconds: number;
}

/** Stores when each device last polled. */
export interface LastPollRepository {
  /**
   * Stores the time of these polls, in one statement. Leaves out devices whose stored poll is less than five minutes
   * older, unless they have moved to another organization.
   */
  save(polled: PolledDevices): Promise<void>;
}
export const LastPollRepository = token<LastPollRepository>('LastPollRepository');
