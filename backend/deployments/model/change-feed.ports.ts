import { token } from '../../kernel/token.ts';

/** Devices whose targets changed. */
export interface ChangedDevices {
  named: string[];
  /** More targets changed than are named: clients must fetch the targets again. */
  others: boolean;
}

/** Only the deployment itself changed. */
export const NO_DEVICES: ChangedDevices = { named: [], others: false };
export const MANY_DEVICES: ChangedDevices = { named: [], others: true };

/** A deployment changed. The message does not contain the new state, which subscribers read themselves. */
export interface DeploymentChanged {
  deploymentId: string;
  organizationId: string;
  devices: ChangedDevices;
}

/** `gap`: changes may have been missed, because the connection was lost. */
export type FeedMessage = { kind: 'changed'; change: DeploymentChanged } | { kind: 'gap' };

/** Notifies all processes of changes to deployments (docs/decisions/live-changes.md). */
export interface ChangeFeed {
  /** Publishes changes. Call it after the commit. Never throws, since the change is already stored. */
  publish(changes: DeploymentChanged[]): void;
  /** Resolves when the subscription is active. The returned function ends it. */
  subscribe(listener: (message: FeedMessage) => void): Promise<() => void>;
  /** Whether the feed recently received something. A broken connection may stop receiving without an error. */
  readonly isReceiving: boolean;
  close(): Promise<void>;
}
export const ChangeFeed = token<ChangeFeed>('ChangeFeed');
