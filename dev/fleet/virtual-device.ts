/**
 * A simulated device: polls, goes through the steps of an update and repeats each report until it is
 * acknowledged, like the agent. It installs nothing, so one process can run many of them.
 */
import { setTimeout as delay } from 'node:timers/promises';

import type {
  CheckUpdateResponse,
  StatusReport,
  UpdateOffer,
} from '../../backend/contract/device-api.ts';
import type { ReportedStatus } from '../../backend/contract/states.ts';
import { POLL_SPREAD } from '../../backend/deployments/rules/update-durations.ts';
import type { DeviceConnections, DeviceCredentials, Outcome } from './device-connection.ts';
import type { Random } from './random.ts';

export interface DeviceBehaviour {
  /** Seconds between polls, spread by ± 50 %; or what the server requests, if that is not longer. */
  pollSeconds: number;
  /** Mean duration of each step of an update. */
  stepSeconds: number;
  /** Share of updates that finish as `failed`, 0 to 1. */
  failureShare: number;
  /** Share of updates that finish as `rolled_back`, 0 to 1. */
  rollbackShare: number;
  /** Delay before a retry, if the server does not send `Retry-After`. */
  retrySeconds: number;
}

/** Counters of all devices of a fleet. */
export interface FleetTally {
  polls: number;
  offers: number;
  acknowledged: number;
  rejected: number;
  unavailable: number;
}

type FinalStatus = 'completed' | 'failed' | 'rolled_back' | 'skipped';

/** The last report of a device that the server acknowledged. */
export interface Acknowledged {
  deploymentId: string;
  attempt: number;
  status: ReportedStatus;
}

export class VirtualDevice {
  readonly credentials: DeviceCredentials;
  version: string | null;
  acknowledged: Acknowledged | null = null;
  readonly #connections: DeviceConnections;
  readonly #behaviour: DeviceBehaviour;
  readonly #random: Random;
  readonly #tally: FleetTally;
  readonly #onAcknowledged: () => void;
  /** Results by attempt, so that a repeated offer gets the same result. */
  readonly #results = new Map<string, FinalStatus>();

  constructor(
    credentials: DeviceCredentials,
    version: string | null,
    parts: {
      connections: DeviceConnections;
      behaviour: DeviceBehaviour;
      random: Random;
      tally: FleetTally;
      onAcknowledged(): void;
    },
  ) {
    this.credentials = credentials;
    this.version = version;
    this.#connections = parts.connections;
    this.#behaviour = parts.behaviour;
    this.#random = parts.random;
    this.#tally = parts.tally;
    this.#onAcknowledged = parts.onAcknowledged;
  }

  /** Polls and updates until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { pollSeconds, retrySeconds } = this.#behaviour;
    try {
      await this.#wait(pollSeconds * this.#random.share(), signal);
      while (!signal.aborted) {
        const outcome = this.#count(await this.#connections.poll(this.credentials));
        this.#tally.polls += 1;
        let seconds = this.#spread(retrySeconds);
        if (outcome.kind === 'unavailable') {
          seconds = this.#spread(outcome.retryAfterSeconds ?? retrySeconds);
        }
        if (outcome.kind === 'accepted') {
          await this.#handle(outcome.body, signal);
          const { poll_after_seconds: wish } = outcome.body;
          // The server has spread its wish already.
          seconds = wish <= pollSeconds * (1 + POLL_SPREAD) ? wish : this.#spread(pollSeconds);
        }
        await this.#wait(seconds, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Sends heartbeats until the signal is aborted. */
  async sendHeartbeats(heartbeatSeconds: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#wait(heartbeatSeconds * this.#random.share(), signal);
      while (!signal.aborted) {
        await this.#connections.heartbeat(this.credentials);
        await this.#wait(heartbeatSeconds, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #handle(response: CheckUpdateResponse, signal: AbortSignal): Promise<void> {
    if (response.update_available) {
      this.#tally.offers += 1;
      await this.#update(response, signal);
    } else if (response.rollback) {
      const { deployment_id: id, version, attempt } = response.rollback;
      const report = { status: 'rolled_back' as const, attempt, installed_version: version };
      if (await this.#report(id, report, signal)) this.version = version;
    }
  }

  async #update(offer: UpdateOffer, signal: AbortSignal): Promise<void> {
    const { deployment_id: id, attempt, target_version: version } = offer;
    const key = `${id} ${attempt}`;
    const known = this.#results.get(key);
    if (known === undefined) {
      for (const status of ['downloading', 'installing', 'verifying'] as const) {
        const directive = await this.#report(id, { status, attempt }, signal);
        if (directive === null) return;
        if (directive === 'abort') {
          await this.#finish(key, id, attempt, 'skipped', signal);
          return;
        }
        await this.#wait(this.#behaviour.stepSeconds * 2 * this.#random.share(), signal);
      }
    }
    const status = known ?? this.#drawResult();
    if (status === 'completed') this.version = version;
    await this.#finish(key, id, attempt, status, signal);
  }

  async #finish(
    key: string,
    id: string,
    attempt: number,
    status: FinalStatus,
    signal: AbortSignal,
  ): Promise<void> {
    this.#results.set(key, status);
    const isFailure = status === 'failed' || status === 'rolled_back';
    const reason = isFailure ? 'simulated failure' : null;
    await this.#report(id, { status, attempt, error_message: reason }, signal);
  }

  #drawResult(): FinalStatus {
    const { failureShare, rollbackShare } = this.#behaviour;
    const draw = this.#random.share();
    if (draw < failureShare) return 'failed';
    return draw < failureShare + rollbackShare ? 'rolled_back' : 'completed';
  }

  /** Repeats a report until it is acknowledged. Returns the directive; `null`: the report was rejected. */
  async #report(
    deploymentId: string,
    report: StatusReport & { attempt: number },
    signal: AbortSignal,
  ): Promise<'continue' | 'abort' | null> {
    for (;;) {
      const outcome = this.#count(
        await this.#connections.report(this.credentials, deploymentId, report),
      );
      if (outcome.kind === 'rejected') return null;
      if (outcome.kind === 'accepted') {
        const { status, attempt } = report;
        this.acknowledged = { deploymentId, attempt, status };
        this.#tally.acknowledged += 1;
        this.#onAcknowledged();
        return outcome.body.directive;
      }
      const seconds = outcome.retryAfterSeconds ?? this.#behaviour.retrySeconds;
      await this.#wait(this.#spread(seconds), signal);
    }
  }

  #spread(seconds: number): number {
    return seconds * (0.5 + this.#random.share());
  }

  #count<T>(outcome: Outcome<T>): Outcome<T> {
    if (outcome.kind !== 'accepted') this.#tally[outcome.kind] += 1;
    return outcome;
  }

  async #wait(seconds: number, signal: AbortSignal): Promise<void> {
    await delay(seconds * 1_000, undefined, { signal });
  }
}
