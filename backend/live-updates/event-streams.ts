import { randomUUID } from 'node:crypto';
import { inject, injectable } from 'inversify';
import { Logger } from '../kernel/logger.ts';
import type { StreamEvent } from '../contract/admin-api.ts';
import { DeploymentRepository } from '../deployments/model/deployment.ports.ts';
import { TargetViews } from '../deployments/model/target.ports.ts';
import { sumBreakdowns } from '../deployments/model/deployment.types.ts';
import { toProgress, toSummary } from '../deployments/reading/deployment.views.ts';
import { ForecastContexts } from '../deployments/reading/forecast-context.service.ts';
import {
  NO_DEVICES,
  type DeploymentChanged,
  type FeedMessage,
  ChangeFeed,
} from '../deployments/model/change-feed.ports.ts';
import { ChangeLog, mergeChanges } from './change-log.ts';

/** Changes within this time are sent together. */
const BATCH_MS = 100;
/** With more changed devices, clients get a `reset` and fetch them again. */
const MAX_DEVICES_PER_CHANGE = 200;

const RESET_ALL: StreamEvent = { type: 'reset', deployment_id: null };

/** An open event stream of an admin. */
export interface StreamClient {
  organizationId: string;
  /** Whether the client watches all deployments of the organization, or only those in `detailed`. */
  everything: boolean;
  /** Deployments whose devices the client watches, too. */
  detailed: ReadonlySet<string>;
  send(id: string, events: StreamEvent[]): void;
  end(): void;
}

/**
 * Sends the current state to clients when it changes (docs/decisions/live-changes.md). The state is read once per change
 * for all clients, and by the same code after a reconnect. Reads run one after the other, and each result is sent before
 * the next read starts, so that an older state never follows a newer one.
 */
@injectable()
export class EventStreams {
  readonly #log = new ChangeLog(randomUUID().slice(0, 8));
  readonly #clients = new Set<StreamClient>();
  #subscription: Promise<() => void> | undefined;
  #pending: DeploymentChanged[] = [];
  #flushTimer: NodeJS.Timeout | undefined;
  /** Resolves when the last read has finished; never rejects. */
  #lastRead: Promise<void> = Promise.resolve();

  /** Whether clients get every change; otherwise they get no heartbeats. */
  get isLive(): boolean {
    return this.feed.isReceiving;
  }

  constructor(
    @inject(ChangeFeed) private readonly feed: ChangeFeed,
    @inject(DeploymentRepository) private readonly deployments: DeploymentRepository,
    @inject(TargetViews) private readonly targets: TargetViews,
    @inject(ForecastContexts) private readonly forecasts: ForecastContexts,
    @inject(Logger) private readonly logger: Logger,
  ) {}

  /** How many streams are open. */
  get size(): number {
    return this.#clients.size;
  }

  /**
   * Adds a client and sends it the state of its detailed deployments. After a reconnect, also sends what changed since
   * `lastEventId`, or `reset` if that is unknown. The returned function removes the client. Rejects if the state cannot
   * be read; the client is then removed.
   */
  async add(client: StreamClient, lastEventId: string | null): Promise<() => void> {
    // Subscribe before reading, so that no change in between is missed.
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
    const visible = events.filter((event) => isVisibleTo(client, event));
    client.send(id, missed === null ? [...visible, RESET_ALL] : visible);
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
          'live update failed; streams reset',
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
    // A client may name any id, but only gets deployments of its own organization.
    if (state?.deployment.organizationId !== change.organizationId) return [];
    const { deployment, batches } = state;
    const context = await this.forecasts.read(deployment.organizationId);
    const breakdown = sumBreakdowns(batches);
    const events: StreamEvent[] = [
      { type: 'deployment', ...toSummary(deployment, batches, context) },
      {
        type: 'progress',
        deployment_id: deployment.id,
        status_breakdown: breakdown,
        ...toProgress(deployment, breakdown),
      },
    ];
    const { named, others } = change.devices;
    const sent = named.length > MAX_DEVICES_PER_CHANGE ? [] : named;
    if (sent.length > 0) {
      for (const device of await this.targets.ofDevices(deployment, sent)) {
        events.push({ type: 'device', deployment_id: deployment.id, device });
      }
    }
    if (others || sent.length < named.length) {
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

/** Devices, and resets of one deployment, are only sent to clients that watch its devices. */
function isVisibleTo(client: StreamClient, event: StreamEvent): boolean {
  if (event.type === 'device') return client.detailed.has(event.deployment_id);
  if (event.type !== 'reset' || event.deployment_id === null) return true;
  return client.detailed.has(event.deployment_id);
}
