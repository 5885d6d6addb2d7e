import knexFactory, { type Knex } from 'knex';

const POOL_SIZE = 20;
/** A request that waits longer than this for a database connection is answered with 503. */
const CONNECTION_LIMIT_MS = 10_000;

/**
 * Opens the host's connections, which the plugin shares.
 *
 * @param name what PostgreSQL shows for them, unless the connection string has an `application_name`
 */
export function openDatabasePool(databaseUrl: string, name: string): Knex {
  return knexFactory({
    client: 'pg',
    connection: withApplicationName(databaseUrl, name),
    pool: { min: 0, max: POOL_SIZE },
    acquireConnectionTimeout: CONNECTION_LIMIT_MS,
    // Keeps stored values out of logged errors.
    compileSqlOnError: false,
  });
}

function withApplicationName(databaseUrl: string, name: string): string {
  const url = new URL(databaseUrl);
  if (!url.searchParams.has('application_name')) url.searchParams.set('application_name', name);
  return url.href;
}
