import { randomUUID } from 'node:crypto';
import { inject, injectable } from 'inversify';
import { Logger } from '../kernel/logger.ts';
import type { StreamEvent } from '../contract/admin-api.ts';
import { DeploymentRepository } from '../deployments/model/deployment.ports.ts';
import { TargetViews } from '../deployments/model/target.ports.ts';
import { sumBreakdowns } from '../deployments/model/deployment.types.ts';
import { toProgress, toSummary } from '../deployments/reading/deployment.views.ts';
import {
  NO_DEVICES,
  type DeploymentChanged,
  type FeedMessage,
  ChangeFeed,
} from '../deployments/model/change-feed.ports.ts';
import { ChangeLog, mergeChanges } from './change-log.ts';

/** Changes that come within this time are shown together. */
const BATCH_MS = 100;
/** More changed devices than this at once: the page fetches anew instead. */
const MAX_DEVICES_PER_CHANGE = 200;

const RESET_ALL: StreamEvent = { type: 'reset', deployment_id: null };

/** An open event stream of an organization's admin. */
export interface StreamClient {
  organizationId: string;
  /** Whether every deployment of the organization is watched, or only the detailed ones. */
  everything: boolean;
  /** Deployments whose single devices are watched, too. */
  detailed: ReadonlySet<string>;
  send(id: string, events: StreamEvent[]): void;
  end(): void;
}

/**
 * Turns "look again" into events with the current state. State is read once per change for all who
 * watch, and after a reconnect by the same code, so nothing that is shown can be older than a poll.
 * Reads take turns: each is sent before the next one begins, so an older state never follows a newer.
 */
@injectable()
export class EventStreams {
  readonly #log = new ChangeLog(randomUUID().slice(0, 8));
  readonly #clients = new Set<StreamClient>();
  #subscription: Promise<() => void> | undefined;
  #pending: DeploymentChanged[] = [];
  #flushTimer: NodeJS.Timeout | undefined;
  /** Ends with the last read that was asked for; never rejects. */
  #lastRead: Promise<void> = Promise.resolve();

  /** Whether clients may believe that they are shown every change. */
  get isLive(): boolean {
    return this.feed.isReceiving;
  }

  constructor(
    @inject(ChangeFeed) private readonly feed: ChangeFeed,
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(TargetViews) private readonly targets: TargetViews,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** How many streams are open. */
  get size(): number {
    return this.#clients.size;
  }

  /**
   * Adds a client and brings it up to date: the state of its detailed deployments at once; after a
   * reconnect what changed since `lastEventId`, or `reset` when that is not known. The returned
   * function removes it. Rejects, with the client removed, when the state cannot be read.
   */
  async add(client: StreamClient, lastEventId: string | null): Promise<() => void> {
    // Listening comes before reading: a change in between would be shown to nobody.
    await (this.#subscription ??= this.feed.subscribe((message) => this.#receive(message)));
    this.#clients.add(client);
    try {
      await this.#afterLastRead(() => this.#bringUpToDate(client, lastEventId));
    } catch (error) {
      this.#clients.delete(client);
      throw error;
    }
    return () => this.#clients.delete(client);
  }

  async close(): Promise<void> {
    (await this.#subscription)?.();
    clearTimeout(this.#flushTimer);
    for (const client of this.#clients) client.end();
    this.#clients.clear();
    await this.#lastRead;
  }

  async #bringUpToDate(client: StreamClient, lastEventId: string | null): Promise<void> {
    const missed = lastEventId === null ? [] : this.#log.since(lastEventId);
    const id = this.#log.lastId;
    const { organizationId } = client;
    const changes = mergeChanges([
      ...(missed ?? []).filter((change) => isWatching(client, change)),
      ...[...client.detailed].map((deploymentId) => ({
        deploymentId,
        organizationId,
        devices: NO_DEVICES,
      })),
    ]);
    const events = (await Promise.all(changes.map((change) => this.#eventsFor(change)))).flat();
    const shown = events.filter((event) => isVisibleTo(client, event));
    client.send(id, missed === null ? [...shown, RESET_ALL] : shown);
  }

  #afterLastRead(read: () => Promise<void>): Promise<void> {
    const turn = this.#lastRead.then(read);
    this.#lastRead = turn.catch(() => undefined);
    return turn;
  }

  #receive(message: FeedMessage): void {
    if (message.kind === 'gap') {
      for (const client of this.#clients) client.send(this.#log.lastId, [RESET_ALL]);
      return;
    }
    this.#log.append(message.change);
    this.#pending.push(message.change);
    this.#flushTimer ??= setTimeout(() => {
      this.#flushTimer = undefined;
      void this.#afterLastRead(() => this.#flush());
    }, BATCH_MS);
  }

  async #flush(): Promise<void> {
    const changes = mergeChanges(this.#pending);
    this.#pending = [];
    const id = this.#log.lastId;
    for (const change of changes) {
      const watching = [...this.#clients].filter((client) => isWatching(client, change));
      if (watching.length === 0) continue;
      try {
        const events = await this.#eventsFor(change);
        for (const client of watching)
          client.send(
            id,
            events.filter((event) => isVisibleTo(client, event)),
          );
      } catch (error) {
        this.logger.warn(
          { err: error, deployment_id: change.deploymentId },
          'change could not be shown; streams are told to fetch anew',
        );
        const { deploymentId } = change;
        for (const client of watching) {
          client.send(id, [{ type: 'reset', deployment_id: deploymentId }]);
        }
      }
    }
  }

  async #eventsFor(change: DeploymentChanged): Promise<StreamEvent[]> {
    const state = await this.deployments.findStateUnscoped(change.deploymentId);
    // A client may name any id; only its own organization's deployments are shown to it.
    if (state?.deployment.organizationId !== change.organizationId) return [];
    const { deployment, batches } = state;
    const breakdown = sumBreakdowns(batches);
    const events: StreamEvent[] = [
      { type: 'deployment', ...toSummary(deployment, batches) },
      {
        type: 'progress',
        deployment_id: deployment.id,
        status_breakdown: breakdown,
        ...toProgress(deployment, breakdown),
      },
    ];
    const { named, others } = change.devices;
    const shown = named.length > MAX_DEVICES_PER_CHANGE ? [] : named;
    if (shown.length > 0) {
      for (const device of await this.targets.ofDevices(deployment, shown)) {
        events.push({ type: 'device', deployment_id: deployment.id, device });
      }
    }
    if (others || shown.length < named.length) {
      events.push({ type: 'reset', deployment_id: deployment.id });
    }
    return events;
  }
}

function isWatching(client: StreamClient, change: DeploymentChanged): boolean {
  return (
    client.organizationId === change.organizationId &&
    (client.everything || client.detailed.has(change.deploymentId))
  );
}

/** Devices and their resets are shown where their deployment is watched in detail. */
function isVisibleTo(client: StreamClient, event: StreamEvent): boolean {
  if (event.type === 'device') return client.detailed.has(event.deployment_id);
  if (event.type !== 'reset' || event.deployment_id === null) return true;
  return client.detailed.has(event.deployment_id);
}
