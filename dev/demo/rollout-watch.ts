/** Follows a deployment through its event stream, so that the demo waits for events, never for a time. */
import { EventEmitter, once } from 'node:events';

import type { DeploymentSummary, TargetView } from '../../backend/contract/admin-api.ts';
import { FINISHED_TARGET_STATUSES } from '../../backend/contract/states.ts';
import type { AdminClient } from './admin-client.ts';

const FINISHED = new Set<string>(FINISHED_TARGET_STATUSES);

export class RolloutWatch {
  readonly targets = new Map<string, TargetView>();
  readonly deploymentId: string;
  readonly #changed = new EventEmitter<{ change: [] }>().setMaxListeners(0);
  readonly #stop = new AbortController();
  #failure: Error | undefined;
  deployment: DeploymentSummary | undefined;

  constructor(
    private readonly admin: AdminClient,
    deploymentId: string,
  ) {
    this.deploymentId = deploymentId;
  }

  /** Resolves when the current state is loaded, and follows changes until {@link stop}. */
  async start(): Promise<void> {
    await this.#refresh();
    this.#follow().catch((error: unknown) => {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.stop();
    });
  }

  stop(): void {
    this.#stop.abort();
    this.#changed.emit('change');
  }

  /**
   * Waits until the condition holds. It is checked after every event.
   *
   * @throws Error if the watch is stopped, or the event stream fails
   */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#stop.signal.aborted) throw this.#failure ?? new Error('the demo was stopped');
      await once(this.#changed, 'change');
    }
  }

  hasFinished(deviceId: string): boolean {
    return FINISHED.has(this.targets.get(deviceId)?.status ?? '');
  }

  /** Returns a function that removes the listener. */
  onChange(listener: () => void): () => void {
    this.#changed.on('change', listener);
    return () => this.#changed.off('change', listener);
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        for await (const event of this.admin.watch(this.deploymentId, signal)) {
          if (event.type === 'device') this.targets.set(event.device.device_id, event.device);
          if (event.type === 'deployment') this.deployment = event;
          if (event.type === 'reset') await this.#refresh();
          this.#changed.emit('change');
        }
        // The stream ended: load what changed before the next one starts.
        if (!signal.aborted) await this.#refresh();
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }

  async #refresh(): Promise<void> {
    for (const target of await this.admin.targets(this.deploymentId)) {
      this.targets.set(target.device_id, target);
    }
    this.deployment = await this.admin.detail(this.deploymentId);
    this.#changed.emit('change');
  }
}
