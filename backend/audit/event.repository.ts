import { inject, injectable } from 'inversify';
import type { Knex } from 'knex';
import type { DeploymentEvent, EventType } from '../contract/admin-api.ts';
import { asKnex } from '../database/knex-unit-of-work.ts';
import type { Actor } from './actor.ts';
import type { Transaction } from '../kernel/unit-of-work.ts';
import type { EventRepository, NewEvent } from './event.ports.ts';
import { Database } from '../database/database.ts';

interface EventRow {
  id: string;
  at: Date;
  type: EventType;
  actor_type: Actor['type'];
  actor_id: string | null;
  actor_name: string | null;
  actor_address: string | null;
  device_id: string | null;
  data: Record<string, unknown>;
}

@injectable()
export class KnexEventRepository implements EventRepository {
  constructor(@inject(Database) private readonly knex: Knex) {}

  async append(tx: Transaction, events: NewEvent[]): Promise<void> {
    if (events.length === 0) return;
    await asKnex(tx).batchInsert(
      'ota_events',
      events.map((event) => ({
        organization_id: event.organizationId,
        deployment_id: event.deploymentId,
        type: event.type,
        actor_type: event.actor.type,
        actor_id: event.actor.id,
        actor_name: event.actor.name,
        actor_address: event.actor.address ?? null,
        device_id: event.deviceId ?? null,
        data: JSON.stringify(event.data ?? {}),
      })),
    );
  }

  async page(
    deploymentId: string,
    beforeId: string | null,
    limit: number,
  ): Promise<DeploymentEvent[]> {
    const query = this.knex<EventRow>('ota_events')
      .where('deployment_id', deploymentId)
      .orderBy('id', 'desc')
      .limit(limit);
    if (beforeId !== null) void query.andWhere('id', '<', beforeId);
    const rows = await query;
    return rows.map((row) => ({
      id: row.id,
      at: row.at.toISOString(),
      type: row.type,
      actor: {
        type: row.actor_type,
        id: row.actor_id,
        name: row.actor_name,
        address: row.actor_address,
      },
      device_id: row.device_id,
      data: row.data,
    }));
  }
}
