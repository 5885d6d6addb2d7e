/** Many virtual devices in one process. */
import { EventEmitter, once } from 'node:events';

import { DeviceConnections, type DeviceCredentials } from './device-connection.ts';
import type { Random } from './random.ts';
import { VirtualDevice, type DeviceBehaviour, type FleetTally } from './virtual-device.ts';

export interface FleetSettings {
  /** Server processes, used in turn. */
  urls: readonly string[];
  /** Connections to each of them at the same time. */
  connections: number;
  behaviour: DeviceBehaviour;
  /** Share of the devices that never come. */
  offlineShare: number;
  /** Between two heartbeats; none: the host takes the devices for offline after a while. */
  heartbeatSeconds?: number;
  random: Random;
}

export class VirtualFleet {
  readonly devices: readonly VirtualDevice[];
  readonly tally: FleetTally = { polls: 0, offers: 0, acknowledged: 0, refused: 0, away: 0 };
  readonly #connections: DeviceConnections;
  readonly #offlineShare: number;
  readonly #heartbeatSeconds: number | undefined;
  readonly #random: Random;
  readonly #events = new EventEmitter<{ acknowledged: [] }>().setMaxListeners(0);
  /** Ends what waits for the fleet as a whole. */
  readonly #stop = new AbortController();
  /** End the lives of single devices. */
  readonly #stops: AbortController[] = [];
  #lives: Promise<unknown> = Promise.resolve();

  constructor(
    members: readonly (DeviceCredentials & { version: string | null })[],
    settings: FleetSettings,
  ) {
    this.#connections = new DeviceConnections(settings.urls, settings.connections);
    this.#offlineShare = settings.offlineShare;
    this.#heartbeatSeconds = settings.heartbeatSeconds;
    this.#random = settings.random;
    this.devices = members.map(
      ({ id, token, version }) =>
        new VirtualDevice({ id, token }, version, {
          connections: this.#connections,
          behaviour: settings.behaviour,
          random: settings.random,
          tally: this.tally,
          onAcknowledged: () => this.#events.emit('acknowledged'),
        }),
    );
  }

  start(): void {
    const online = this.devices.filter(() => this.#random.share() >= this.#offlineShare);
    const beat = this.#heartbeatSeconds;
    this.#lives = Promise.all(
      online.flatMap((device) => {
        // One for each: a signal looks through all its listeners whenever somebody waits.
        const stop = new AbortController();
        this.#stops.push(stop);
        const life = device.live(stop.signal);
        return beat === undefined ? life : [life, device.keepOnline(beat, stop.signal)];
      }),
    );
    this.#lives.catch(() => this.stop());
  }

  /** Resolves once so many reports have been acknowledged. */
  async untilAcknowledged(reports: number): Promise<void> {
    while (this.tally.acknowledged < reports) {
      await once(this.#events, 'acknowledged', { signal: this.#stop.signal });
    }
  }

  /** @throws what made a device stop by itself, if one did */
  async stop(): Promise<void> {
    this.#stop.abort();
    for (const stop of this.#stops.splice(0)) stop.abort();
    await this.#connections.close();
    await this.#lives;
  }
}
