import { randomUUID } from 'node:crypto';
import type { Knex } from 'knex';
import type { Client } from 'pg';

const TIMEOUT_MS = 10_000;

/**
 * Checks that PostgreSQL notifications arrive. Behind a pooler in transaction mode they do not, and prepared statements
 * get lost: live updates would silently stop, and reports would fail now and then (docs/operating.md, Infrastructure).
 *
 * @throws {Error} with what to change
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
    const received = new Promise<boolean>((resolve) => {
      listener.on('notification', (message) => {
        if (message.channel === channel) resolve(true);
      });
      timer = setTimeout(() => resolve(false), TIMEOUT_MS);
    });
    await listener.query(`LISTEN ${channel}`);
    await knex.raw('SELECT pg_notify(?, ?)', [channel, '']);
    if (await received) return;
    throw new Error(
      'PostgreSQL notifications do not arrive, probably because of a connection pooler in transaction mode. Connect ' +
        'to the database directly, or through a pooler in session mode (docs/operating.md).',
    );
  } finally {
    clearTimeout(timer);
    await client.destroyRawConnection(listener);
  }
}
