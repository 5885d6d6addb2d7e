/** The queue in PostgreSQL as BullMQ sees it, to lose or add jobs behind the product's back. */
import { createPostgresBackend, withBackend, type Queue } from 'bullmq';
import type { Knex } from 'knex';

import { locateQueue } from '../../jobs/queue-backend.ts';
import { QUEUE_NAME } from '../../jobs/queue.ts';

export async function openQueue(knex: Knex): Promise<Queue> {
  const location = await locateQueue(undefined, knex, 'ota_queue');
  if (location.kind !== 'postgres') throw new Error('the queue is in PostgreSQL here');
  const { Queue: PostgresQueue } = withBackend(createPostgresBackend);
  const { connection } = location;
  const queue = new PostgresQueue(QUEUE_NAME, { connection }) as unknown as Queue;
  await queue.waitUntilReady();
  return queue;
}

export async function withQueue(knex: Knex, use: (queue: Queue) => Promise<void>): Promise<void> {
  const queue = await openQueue(knex);
  await use(queue).finally(() => queue.close());
}
