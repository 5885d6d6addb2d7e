import knexFactory, { type Knex } from 'knex';
import type { Client } from 'pg';
import { SHORT_QUERY_MS, GRACE_MS, QUERY_MS } from '../kernel/time-limits.ts';
import { DatabaseTimeoutError } from './database-errors.ts';
import { evictFromPool, withStatementTimeout } from './statement-timeout.ts';

/** As far as the plugin knows Knex's client of PostgreSQL. */
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
 * What results depend on, and an operator may have set otherwise for the database: how times, intervals,
 * bytes and numbers are written, how strings are read, and what a transaction sees of others. Whether
 * the database may be written is left as it is, and time limits stand in each transaction.
 */
const SESSION = `
  SELECT set_config('datestyle', 'ISO, MDY', false), set_config('intervalstyle', 'postgres', false),
         set_config('bytea_output', 'hex', false), set_config('extra_float_digits', '1', false),
         set_config('standard_conforming_strings', 'on', false),
         set_config('default_transaction_isolation', 'read committed', false),
         set_config('default_transaction_deferrable', 'off', false)`;

/** Milliseconds that the statements of a transaction may take, by its connection. */
const transactionTimeouts = new WeakMap<Client, number>();
/**
 * Opening a transaction takes no time but that of the network. Ending one may take as long as its
 * statements: COMMIT waits until all that was written is on disk.
 */
const BRIEF = /^BEGIN/;

/**
 * A Knex of the plugin's own over the pool of the host's: no connection more, but sessions are set up for
 * the plugin when it first gets one, every statement is given up some time, and sessions that an error
 * has spoiled leave the pool.
 */
export function createPluginKnex(host: Knex): Knex {
  const hostClient = host.client as PostgresClient;
  /** Sessions that are set up, and those of them that somebody is using. */
  const initialized = new Set<Client>();
  const inUse = new Set<Client>();

  async function initialize(connection: Client): Promise<void> {
    if (initialized.has(connection)) return;
    await withStatementTimeout(connection, SHORT_QUERY_MS, () => connection.query(SESSION));
    initialized.add(connection);
    connection.once('end', () => initialized.delete(connection));
  }

  /** Where one connection gets no answer, those that lie idle will get none either. */
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
      const limit = BRIEF.test(statement.sql ?? '')
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

/** How long an answer on this connection is waited for. */
export function statementTimeoutOf(connection: Client): number {
  return transactionTimeouts.get(connection) ?? QUERY_MS;
}

/** Until it goes back to the pool, statements on it may take as long as PostgreSQL lets them. */
export function setStatementTimeout(connection: Client, statementMs: number): void {
  transactionTimeouts.set(connection, statementMs + GRACE_MS);
}
