/** The queue as BullMQ sees it, so that tests can lose or add jobs without the product noticing. */
import { createPostgresBackend, Queue, withBackend } from 'bullmq';
import type { Knex } from 'knex';

import { locateQueue, type QueueLocation } from '../../jobs/queue-backend.ts';
import { QUEUE_NAME } from '../../jobs/queue.ts';

export async function withBullQueue(
  location: QueueLocation,
  use: (queue: Queue) => Promise<void>,
): Promise<void> {
  if (location.kind === 'postgres') {
    const { Queue: PostgresQueue } = withBackend(createPostgresBackend);
    const { connection } = location;
    const queue = new PostgresQueue(QUEUE_NAME, { connection }) as unknown as Queue;
    await queue.waitUntilReady();
    return use(queue).finally(() => queue.close());
  }
  const connection = location.connect('producer');
  const queue = new Queue(QUEUE_NAME, { connection, prefix: location.prefix });
  return use(queue).finally(async () => {
    await queue.close();
    // BullMQ does not close a connection that it was given, which would reconnect for ever.
    connection.disconnect();
  });
}

/** The queue of a product that has no Redis. */
export async function withQueue(knex: Knex, use: (queue: Queue) => Promise<void>): Promise<void> {
  return withBullQueue(await locateQueue(undefined, knex, 'ota_queue'), use);
}
