import type { Knex } from 'knex';
import type { Client, QueryResultRow } from 'pg';
import { withStatementTimeout } from './statement-timeout.ts';
import { statementTimeoutOf } from './plugin-knex.ts';

/**
 * Runs a named prepared statement, which is parsed and planned once per connection. Knex does not support them, and the
 * statements of polls and reports run thousands of times a second. In a transaction, uses its connection.
 *
 * @param text must list its result columns: with `*`, PostgreSQL would reject the statement when a newer release has
 *   added a column, until the connection is closed
 * @param limitMs timeout in milliseconds, after which the connection is closed; default: the transaction's
 */
export async function runPrepared<Row extends QueryResultRow>(
  knex: Knex,
  name: string,
  text: string,
  values: unknown[],
  limitMs?: number,
): Promise<Row[]> {
  const client = knex.client as {
    acquireConnection(): Promise<Client>;
    releaseConnection(connection: Client): Promise<void>;
  };
  const connection = await client.acquireConnection();
  try {
    const result = await withStatementTimeout(
      connection,
      limitMs ?? statementTimeoutOf(connection),
      () => connection.query<Row>({ name, text, values }),
    );
    return result.rows;
  } finally {
    await client.releaseConnection(connection);
  }
}
