/** Runs many virtual devices in one process. */
import { EventEmitter, once } from 'node:events';

import { DeviceConnections, type DeviceCredentials } from './device-connection.ts';
import type { Random } from './random.ts';
import { VirtualDevice, type DeviceBehaviour, type FleetTally } from './virtual-device.ts';

export interface FleetSettings {
  /** Server processes, used round-robin. */
  urls: readonly string[];
  /** Maximum number of connections to each of them. */
  connections: number;
  behaviour: DeviceBehaviour;
  /** Share of the devices that never connect, 0 to 1. */
  offlineShare: number;
  /** Interval between heartbeats; if missing, none are sent and the host marks the devices offline. */
  heartbeatSeconds?: number;
  random: Random;
}

export class VirtualFleet {
  readonly devices: readonly VirtualDevice[];
  readonly tally: FleetTally = {
    polls: 0,
    offers: 0,
    acknowledged: 0,
    rejected: 0,
    unavailable: 0,
  };
  readonly #connections: DeviceConnections;
  readonly #offlineShare: number;
  readonly #heartbeatSeconds: number | undefined;
  readonly #random: Random;
  readonly #events = new EventEmitter<{ acknowledged: [] }>().setMaxListeners(0);
  /** Aborts {@link untilAcknowledged}. */
  readonly #stop = new AbortController();
  /** Stop single devices. */
  readonly #stops: AbortController[] = [];
  #running: Promise<unknown> = Promise.resolve();

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
    const heartbeatSeconds = this.#heartbeatSeconds;
    this.#running = Promise.all(
      online.flatMap((device) => {
        // One per device: with one shared signal, adding a listener would get slower with each device.
        const stop = new AbortController();
        this.#stops.push(stop);
        const running = device.run(stop.signal);
        if (heartbeatSeconds === undefined) return running;
        return [running, device.sendHeartbeats(heartbeatSeconds, stop.signal)];
      }),
    );
    this.#running.catch(() => this.stop());
  }

  /** Resolves when at least so many reports have been acknowledged. Rejects if the fleet is stopped first. */
  async untilAcknowledged(reports: number): Promise<void> {
    while (this.tally.acknowledged < reports) {
      await once(this.#events, 'acknowledged', { signal: this.#stop.signal });
    }
  }

  /** Stops all devices. @throws the error of a device that failed */
  async stop(): Promise<void> {
    this.#stop.abort();
    for (const stop of this.#stops.splice(0)) stop.abort();
    await this.#connections.close();
    await this.#running;
  }
}
