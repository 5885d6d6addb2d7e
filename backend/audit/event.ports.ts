import type { DeploymentEvent, EventType } from '../contract/admin-api.ts';
import type { Actor } from './actor.ts';
import type { Transaction } from '../kernel/unit-of-work.ts';
import { token } from '../kernel/token.ts';

export interface NewEvent {
  organizationId: string;
  deploymentId: string;
  type: EventType;
  actor: Actor;
  deviceId?: string;
  /** Details of the event. Admins see them, so they must not contain secrets. */
  data?: Record<string, unknown>;
}

export interface EventRepository {
  /** Appends events in the transaction of the change itself, so that both are committed or neither. */
  append(tx: Transaction, events: NewEvent[]): Promise<void>;
  /** Up to `limit` events, newest first; only those older than the event `beforeId`, if given. */
  page(deploymentId: string, beforeId: string | null, limit: number): Promise<DeploymentEvent[]>;
}
export const EventRepository = token<EventRepository>('EventRepository');
