import { token } from '../../kernel/token.ts';

/** Targets that changed. */
export interface ChangedDevices {
  named: string[];
  /** More changed than are named: whoever shows targets fetches them anew. */
  others: boolean;
}

/** Only the deployment itself changed. */
export const NO_DEVICES: ChangedDevices = { named: [], others: false };
export const MANY_DEVICES: ChangedDevices = { named: [], others: true };

/** Something about a deployment changed; who shows it, reads it anew. */
export interface DeploymentChanged {
  deploymentId: string;
  organizationId: string;
  devices: ChangedDevices;
}

export type FeedMessage = { kind: 'changed'; change: DeploymentChanged } | { kind: 'gap' };

/**
 * Carries "look again" from the process that changed something to the processes that show it. After
 * a lost connection it says `gap`: changes may have been missed.
 */
export interface ChangeFeed {
  /** Call after the commit. Never throws; the change itself is safe in the database. */
  publish(changes: DeploymentChanged[]): void;
  /** Resolves when changes reach the listener; the returned function ends the subscription. */
  subscribe(listener: (message: FeedMessage) => void): Promise<() => void>;
  /** Whether it is known that changes still arrive; a connection can go deaf without an end. */
  readonly isReceiving: boolean;
  close(): Promise<void>;
}
export const ChangeFeed = token<ChangeFeed>('ChangeFeed');
