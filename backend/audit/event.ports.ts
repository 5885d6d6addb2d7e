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
  /** Facts for the timeline; shown to admins, so nothing secret. */
  data?: Record<string, unknown>;
}

export interface EventRepository {
  /** In the transaction of what happened: the timeline never tells of what was rolled back. */
  append(tx: Transaction, events: NewEvent[]): Promise<void>;
  /** Newest first, from before `beforeId` on. */
  page(deploymentId: string, beforeId: string | null, limit: number): Promise<DeploymentEvent[]>;
}
export const EventRepository = token<EventRepository>('EventRepository');
