/**
 * A device as the server sees it: polls, carries updates through and reports each step until it is
 * acknowledged, as the agent does. It installs nothing, so that a process holds many of them.
 */
import { setTimeout as delay } from 'node:timers/promises';

import type {
  CheckUpdateResponse,
  StatusReport,
  UpdateOffer,
} from '../../backend/contract/device-api.ts';
import type { ReportedStatus } from '../../backend/contract/states.ts';
import type { Answer, DeviceConnections, DeviceCredentials } from './device-connection.ts';
import type { Random } from './random.ts';

export interface DeviceBehaviour {
  /** Between two polls at the most; less when the server says so. Spread by ± 50 %. */
  pollSeconds: number;
  /** Mean time that each step of an update takes. */
  stepSeconds: number;
  /** Share of updates that end `failed`, before anything was installed. */
  failureShare: number;
  /** Share of updates that end `rolled_back`. */
  rollbackShare: number;
  /** Wait before something unanswered is sent again. */
  retrySeconds: number;
}

/** What a device has done, for whoever counts. */
export interface FleetTally {
  polls: number;
  offers: number;
  acknowledged: number;
  refused: number;
  away: number;
}

type End = 'completed' | 'failed' | 'rolled_back' | 'skipped';

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
  /** How attempts ended, so that a repeated offer gets the same answer. */
  readonly #ends = new Map<string, End>();

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

  /** Polls and updates until the signal ends it. */
  async live(signal: AbortSignal): Promise<void> {
    const { pollSeconds, retrySeconds } = this.#behaviour;
    try {
      await this.#wait(pollSeconds * this.#random.share(), signal);
      while (!signal.aborted) {
        const answer = this.#count(await this.#connections.poll(this.credentials));
        this.#tally.polls += 1;
        let seconds = retrySeconds;
        if (answer.kind === 'away') seconds = answer.retryAfterSeconds ?? retrySeconds;
        if (answer.kind === 'answer') {
          await this.#obey(answer.body, signal);
          seconds = Math.min(pollSeconds, answer.body.poll_after_seconds);
        }
        await this.#wait(seconds * (0.5 + this.#random.share()), signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Says that it is there, until the signal ends it. */
  async keepOnline(heartbeatSeconds: number, signal: AbortSignal): Promise<void> {
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

  async #obey(answer: CheckUpdateResponse, signal: AbortSignal): Promise<void> {
    if (answer.update_available) {
      this.#tally.offers += 1;
      await this.#update(answer, signal);
    } else if (answer.rollback) {
      const { deployment_id: id, version, attempt } = answer.rollback;
      const report = { status: 'rolled_back' as const, attempt, installed_version: version };
      if (await this.#tell(id, report, signal)) this.version = version;
    }
  }

  async #update(offer: UpdateOffer, signal: AbortSignal): Promise<void> {
    const { deployment_id: id, attempt, target_version: version } = offer;
    const key = `${id} ${attempt}`;
    const known = this.#ends.get(key);
    if (known === undefined) {
      for (const status of ['downloading', 'installing', 'verifying'] as const) {
        const answer = await this.#tell(id, { status, attempt }, signal);
        if (answer === null) return;
        if (answer === 'abort') return void (await this.#end(key, id, attempt, 'skipped', signal));
        await this.#wait(this.#behaviour.stepSeconds * 2 * this.#random.share(), signal);
      }
    }
    const end = known ?? this.#drawEnd();
    if (end === 'completed') this.version = version;
    await this.#end(key, id, attempt, end, signal);
  }

  async #end(key: string, id: string, attempt: number, end: End, signal: AbortSignal) {
    this.#ends.set(key, end);
    const reason = end === 'failed' || end === 'rolled_back' ? 'the device was made to fail' : null;
    await this.#tell(id, { status: end, attempt, error_message: reason }, signal);
  }

  #drawEnd(): End {
    const { failureShare, rollbackShare } = this.#behaviour;
    const draw = this.#random.share();
    if (draw < failureShare) return 'failed';
    return draw < failureShare + rollbackShare ? 'rolled_back' : 'completed';
  }

  /** Sends a report until it is acknowledged, and answers the directive; `null`: refused. */
  async #tell(
    deploymentId: string,
    report: StatusReport & { attempt: number },
    signal: AbortSignal,
  ): Promise<'continue' | 'abort' | null> {
    for (;;) {
      const answer = this.#count(
        await this.#connections.report(this.credentials, deploymentId, report),
      );
      if (answer.kind === 'refused') return null;
      if (answer.kind === 'answer') {
        const { status, attempt } = report;
        this.acknowledged = { deploymentId, attempt, status };
        this.#tally.acknowledged += 1;
        this.#onAcknowledged();
        return answer.body.directive;
      }
      const seconds = answer.retryAfterSeconds ?? this.#behaviour.retrySeconds;
      await this.#wait(seconds * (0.5 + this.#random.share()), signal);
    }
  }

  #count<T>(answer: Answer<T>): Answer<T> {
    if (answer.kind !== 'answer') this.#tally[answer.kind] += 1;
    return answer;
  }

  async #wait(seconds: number, signal: AbortSignal): Promise<void> {
    await delay(seconds * 1_000, undefined, { signal });
  }
}
