import { randomUUID } from 'node:crypto';
import { inject, injectable } from 'inversify';
import type { Logger } from 'pino';
import type { StreamEvent } from '../contract/admin-api.ts';
import type { DeploymentRepository } from '../deployments/deployment.ports.ts';
import type { TargetViews } from '../deployments/target.ports.ts';
import { sumBreakdowns } from '../deployments/deployment.types.ts';
import { toProgress, toSummary } from '../deployments/deployment.views.ts';
import { TOKENS } from '../tokens.ts';
import {
  NO_DEVICES,
  type ChangeFeed,
  type DeploymentChanged,
  type FeedMessage,
} from './change-feed.ts';
import { ChangeLog, mergeChanges } from './change-log.ts';

/** Changes that come within this time are shown together. */
const GATHER_MS = 100;
/** More changed devices than this at once: the page fetches anew instead. */
const MAX_DEVICES_AT_ONCE = 200;

/** An open event stream: of one deployment, or of all of an organization. */
export interface StreamClient {
  organizationId: string;
  deploymentId: string | null;
  send(id: string, events: StreamEvent[]): void;
  end(): void;
}

/**
 * Turns "look again" into events with what is so now. State is read once per change for all who
 * watch, and after a reconnect by the same code, so nothing that is shown can be older than a poll.
 */
@injectable()
export class EventStreams {
  readonly #feed: ChangeFeed;
  readonly #deployments: DeploymentRepository;
  readonly #targets: TargetViews;
  readonly #logger: Logger;
  readonly #log = new ChangeLog(randomUUID().slice(0, 8));
  readonly #clients = new Set<StreamClient>();
  #subscription: Promise<() => void> | undefined;
  #gathered: DeploymentChanged[] = [];
  #gathering: NodeJS.Timeout | undefined;
  #showing: Promise<void> = Promise.resolve();

  constructor(
    @inject(TOKENS.ChangeFeed) feed: ChangeFeed,
    @inject(TOKENS.DeploymentRepository) deployments: DeploymentRepository,
    @inject(TOKENS.TargetViews) targets: TargetViews,
    @inject(TOKENS.Logger) logger: Logger,
  ) {
    this.#feed = feed;
    this.#deployments = deployments;
    this.#targets = targets;
    this.#logger = logger;
  }

  /** How many streams are open. */
  get size(): number {
    return this.#clients.size;
  }

  /**
   * Adds a client and brings it up to date: a deployment's state at once; after a reconnect what
   * changed since `lastEventId`, or `reset` when that is not known. The returned function takes it
   * off again.
   */
  async add(client: StreamClient, lastEventId: string | null): Promise<() => void> {
    // Listening comes before reading: a change in between would be shown to nobody.
    await (this.#subscription ??= this.#feed.subscribe((message) => this.#receive(message)));
    this.#clients.add(client);
    const missed = lastEventId === null ? [] : this.#log.since(lastEventId);
    const id = this.#log.lastId;
    const changes = mergeChanges((missed ?? []).filter((change) => concerns(client, change)));
    if (client.deploymentId !== null && changes.length === 0) {
      const { deploymentId, organizationId } = client;
      changes.push({ deploymentId, organizationId, devices: NO_DEVICES });
    }
    const events = (await Promise.all(changes.map((change) => this.#describe(change)))).flat();
    const shown = events.filter((event) => isFor(client, event));
    client.send(id, missed === null ? [...shown, { type: 'reset' }] : shown);
    return () => this.#clients.delete(client);
  }

  async close(): Promise<void> {
    (await this.#subscription)?.();
    clearTimeout(this.#gathering);
    for (const client of this.#clients) client.end();
    this.#clients.clear();
    await this.#showing;
  }

  #receive(message: FeedMessage): void {
    if (message.kind === 'gap') {
      for (const client of this.#clients) client.send(this.#log.lastId, [{ type: 'reset' }]);
      return;
    }
    this.#log.append(message.change);
    this.#gathered.push(message.change);
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      this.#showing = this.#showing.then(() => this.#show());
    }, GATHER_MS);
  }

  async #show(): Promise<void> {
    const changes = mergeChanges(this.#gathered);
    this.#gathered = [];
    const id = this.#log.lastId;
    for (const change of changes) {
      const watching = [...this.#clients].filter((client) => concerns(client, change));
      if (watching.length === 0) continue;
      try {
        const events = await this.#describe(change);
        for (const client of watching)
          client.send(
            id,
            events.filter((event) => isFor(client, event)),
          );
      } catch (error) {
        this.#logger.warn(
          { err: error, deployment_id: change.deploymentId },
          'change could not be shown; streams are told to fetch anew',
        );
        for (const client of watching) client.send(id, [{ type: 'reset' }]);
      }
    }
  }

  async #describe(change: DeploymentChanged): Promise<StreamEvent[]> {
    const state = await this.#deployments.findAnyState(change.deploymentId);
    if (!state) return [];
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
    const shown = named.length > MAX_DEVICES_AT_ONCE ? [] : named;
    if (shown.length > 0) {
      for (const device of await this.#targets.ofDevices(deployment, shown)) {
        events.push({ type: 'device', deployment_id: deployment.id, device });
      }
    }
    if (others || shown.length < named.length) events.push({ type: 'reset' });
    return events;
  }
}

function concerns(client: StreamClient, change: DeploymentChanged): boolean {
  return (
    client.organizationId === change.organizationId &&
    (client.deploymentId === null || client.deploymentId === change.deploymentId)
  );
}

/** Devices and their resets are shown where one deployment is watched. */
function isFor(client: StreamClient, event: StreamEvent): boolean {
  return client.deploymentId !== null || (event.type !== 'device' && event.type !== 'reset');
}
