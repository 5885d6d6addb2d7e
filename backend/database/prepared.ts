import type { Knex } from 'knex';
import type { Client, QueryResultRow } from 'pg';
import { withStatementTimeout } from './statement-timeout.ts';
import { statementTimeoutOf } from './plugin-knex.ts';

/**
 * Runs a named prepared statement, parsed and planned once per connection: Knex itself has none, and
 * polls and reports are the statements that run thousands of times a second. Inside of a transaction
 * it takes the transaction's connection.
 *
 * @param text names every column that it returns: with `*`, PostgreSQL refuses the statement from the
 *   moment a newer release adds a column until the connection ends
 * @param limitMs after so long without an answer the connection is given up; default that of its transaction
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
