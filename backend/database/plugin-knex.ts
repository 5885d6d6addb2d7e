import knexFactory, { type Knex } from 'knex';
import type { Client } from 'pg';
import { SHORT_QUERY_MS, GRACE_MS, QUERY_MS } from '../kernel/time-limits.ts';
import { DatabaseTimeoutError } from './database-errors.ts';
import { evictFromPool, withStatementTimeout } from './statement-timeout.ts';

/** The parts of Knex's PostgreSQL client that are used here; Knex has no types for them. */
interface PostgresClient {
  acquireConnection(): Promise<Client>;
  releaseConnection(connection: Client): Promise<void>;
  _query(connection: Client, statement: { sql?: string }): Promise<unknown>;
  pool: unknown;
  driver: unknown;
  version: unknown;
  connectionSettings: unknown;
  connectionConfigProvider: unknown;
  connectionConfigExpirationChecker: unknown;
}
type PostgresClientClass = new (config: object) => PostgresClient;

/**
 * Session settings that affect results and may have other defaults in this database: formats of times, intervals, bytes
 * and numbers, parsing of strings, and isolation of transactions. Read-only mode is not changed, and each transaction
 * sets its own time limits.
 */
const SESSION = `
  SELECT set_config('datestyle', 'ISO, MDY', false), set_config('intervalstyle', 'postgres', false),
         set_config('bytea_output', 'hex', false), set_config('extra_float_digits', '1', false),
         set_config('standard_conforming_strings', 'on', false),
         set_config('default_transaction_isolation', 'read committed', false),
         set_config('default_transaction_deferrable', 'off', false)`;

/** The timeout of a transaction's statements in milliseconds, by connection. */
const transactionTimeouts = new WeakMap<Client, number>();
/**
 * BEGIN takes no time but that of the network. COMMIT may take as long as a statement, because it waits for the disk.
 */
const BEGIN = /^BEGIN/;

/**
 * The plugin's own Knex, which uses the connection pool of the host's Knex. It sets up each session before the first
 * use, applies a timeout to every statement, and removes broken sessions from the pool.
 */
export function createPluginKnex(host: Knex): Knex {
  const hostClient = host.client as PostgresClient;
  /** Sessions that have been set up, and those in use. */
  const initialized = new Set<Client>();
  const inUse = new Set<Client>();

  async function initialize(connection: Client): Promise<void> {
    if (initialized.has(connection)) return;
    await withStatementTimeout(connection, SHORT_QUERY_MS, () => connection.query(SESSION));
    initialized.add(connection);
    connection.once('end', () => initialized.delete(connection));
  }

  /** If one connection times out, the idle ones are probably dead, too. */
  function evictIdle(error: unknown): void {
    if (!(error instanceof DatabaseTimeoutError)) return;
    for (const connection of initialized)
      if (!inUse.has(connection)) evictFromPool(connection, error);
  }

  class PluginClient extends (hostClient.constructor as PostgresClientClass) {
    override async acquireConnection(): Promise<Client> {
      const connection = await super.acquireConnection();
      inUse.add(connection);
      try {
        await initialize(connection);
        return connection;
      } catch (error) {
        await this.releaseConnection(connection);
        evictIdle(error);
        throw error;
      }
    }

    override releaseConnection(connection: Client): Promise<void> {
      inUse.delete(connection);
      transactionTimeouts.delete(connection);
      return super.releaseConnection(connection);
    }

    override async _query(connection: Client, statement: { sql?: string }): Promise<unknown> {
      const limit = BEGIN.test(statement.sql ?? '')
        ? SHORT_QUERY_MS
        : statementTimeoutOf(connection);
      try {
        return await withStatementTimeout(connection, limit, () =>
          super._query(connection, statement),
        );
      } catch (error) {
        evictIdle(error);
        throw error;
      }
    }
  }
  const own = knexFactory({ client: PluginClient as unknown as typeof Knex.Client });
  const client = own.client as PostgresClient;
  client.pool = hostClient.pool;
  client.driver = hostClient.driver;
  client.version = hostClient.version;
  client.connectionSettings = hostClient.connectionSettings;
  client.connectionConfigProvider = hostClient.connectionConfigProvider;
  client.connectionConfigExpirationChecker = hostClient.connectionConfigExpirationChecker;
  return own;
}

/** The timeout of statements on this connection, in milliseconds. */
export function statementTimeoutOf(connection: Client): number {
  return transactionTimeouts.get(connection) ?? QUERY_MS;
}

/** Sets the timeout until the connection returns to the pool: PostgreSQL's own limit and a grace period. */
export function setStatementTimeout(connection: Client, statementMs: number): void {
  transactionTimeouts.set(connection, statementMs + GRACE_MS);
}
