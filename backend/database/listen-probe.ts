import { randomUUID } from 'node:crypto';
import type { Knex } from 'knex';
import type { Client } from 'pg';

const TIMEOUT_MS = 10_000;

/**
 * Whether notifications of PostgreSQL arrive. Behind a pooler that hands sessions out by the transaction
 * they do not, prepared statements vanish, and nobody would be told: pages would show a live view that
 * never moves, and reports would fail now and then.
 *
 * @throws {Error} with what to do
 */
export async function requireNotifications(knex: Knex): Promise<void> {
  const client = knex.client as {
    acquireRawConnection(): Promise<Client>;
    destroyRawConnection(connection: Client): Promise<void>;
  };
  const channel = `ota_probe_${randomUUID().replaceAll('-', '')}`;
  const listener = await client.acquireRawConnection();
  let timer: NodeJS.Timeout | undefined;
  try {
    const heard = new Promise<boolean>((resolve) => {
      listener.on('notification', (message) => {
        if (message.channel === channel) resolve(true);
      });
      timer = setTimeout(() => resolve(false), TIMEOUT_MS);
    });
    await listener.query(`LISTEN ${channel}`);
    await knex.raw('SELECT pg_notify(?, ?)', [channel, '']);
    if (await heard) return;
    throw new Error(
      'Notifications of PostgreSQL do not arrive. Between the plugin and the database stands a pooler that hands out ' +
        'sessions by the transaction; connect to the database directly, or by a pooler in session mode (docs/operating.md).',
    );
  } finally {
    clearTimeout(timer);
    await client.destroyRawConnection(listener);
  }
}
