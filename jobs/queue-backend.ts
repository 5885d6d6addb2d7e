import type { Redis } from 'ioredis';
import type { Knex } from 'knex';

/** Where the queue is stored. */
export type QueueLocation =
  | { kind: 'redis'; connect(role: 'producer' | 'worker'): Redis; prefix: string }
  | { kind: 'postgres'; connection: PostgresQueueConnection };

/** Options of BullMQ's PostgreSQL backend, which opens its own small pool. */
export type PostgresQueueConnection = {
  connectionString?: string;
  host?: string;
  port?: number;
  user?: string;
  password?: string;
  database?: string;
  ssl?: unknown;
  schema: string;
  /** Creates or updates the queue's schema. Without it, a worker finds no tables. */
  migrate: true;
  max: number;
  keepAlive: true;
};

const POOL_SIZE = 4;

/**
 * Redis if the host offers it, otherwise PostgreSQL.
 *
 * @param prefix in Redis the hash tag of all keys, which keeps them on one node of a cluster; in PostgreSQL
 *   the name of the queue's schema
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
  // Read one by one: Knex makes the password non-enumerable, so spreading would lose it.
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
