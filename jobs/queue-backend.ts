import type { Redis } from 'ioredis';
import type { Knex } from 'knex';

/** Where the queue lives. */
export type QueueLocation =
  | { kind: 'redis'; connect(role: 'producer' | 'worker'): Redis; prefix: string }
  | { kind: 'postgres'; connection: PostgresQueueConnection };

/** What BullMQ's PostgreSQL backend takes; it opens a small pool of its own. */
export type PostgresQueueConnection = {
  connectionString?: string;
  host?: string;
  port?: number;
  user?: string;
  password?: string;
  database?: string;
  ssl?: unknown;
  schema: string;
  /** Creates or updates the queue's schema; without it a worker finds no tables. */
  migrate: true;
  max: number;
  keepAlive: true;
};

const POOL_SIZE = 4;

/**
 * Redis when the host has one, else PostgreSQL. In Redis all keys share one hash tag, so that a Redis
 * Cluster keeps them together; in PostgreSQL the queue has a schema of its own.
 */
export async function locateQueue(
  redis: { connect(role: 'producer' | 'worker'): Redis } | undefined,
  knex: Knex,
  prefix: string,
): Promise<QueueLocation> {
  if (redis)
    return { kind: 'redis', connect: (role) => redis.connect(role), prefix: `{${prefix}}` };
  return { kind: 'postgres', connection: await postgresConnection(knex, prefix) };
}

async function postgresConnection(knex: Knex, schema: string): Promise<PostgresQueueConnection> {
  const client = knex.client as {
    connectionSettings?: PostgresSettings;
    connectionConfigProvider?: () => PostgresSettings | Promise<PostgresSettings>;
  };
  const settings = client.connectionSettings ?? (await client.connectionConfigProvider?.()) ?? {};
  // Read one by one: Knex hides the password from being spread or logged.
  const { connectionString, host, port, user, database, password, ssl } = settings;
  return {
    ...(connectionString !== undefined && { connectionString }),
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port: Number(port) }),
    ...(user !== undefined && { user }),
    ...(database !== undefined && { database }),
    ...(password !== undefined && { password }),
    ...(ssl !== undefined && { ssl }),
    schema,
    migrate: true,
    max: POOL_SIZE,
    keepAlive: true,
  };
}

interface PostgresSettings {
  connectionString?: string;
  host?: string;
  port?: number | string;
  user?: string;
  database?: string;
  password?: string;
  ssl?: unknown;
}
