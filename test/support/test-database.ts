/** Gives each suite its own database, cloned from a migrated template in a few milliseconds. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import knexFactory, { type Knex } from 'knex';
import pg from 'pg';

import { migrateUp } from '../../migrations/migrator.ts';
import { createHostTables } from '../../dev/host/host-schema.ts';
import { testPostgres } from './test-services.ts';

const PUBLISHED_TABLES = new URL('./published-platform/tables.sql', import.meta.url);

export interface TestDatabase {
  knex: Knex;
  connectionString: string;
  /** Closes `knex` and drops the database, even if other sessions are connected. */
  drop(): Promise<void>;
}

type Schema = 'plugin' | 'host' | 'published' | 'empty';

export interface TestDatabaseOptions {
  /**
   * `host`: only the tables of the stand-in for Ops-Center. `published`: only those of the published Ops-Center,
   * with a few rows. `empty`: no tables. Default: the tables of the stand-in and of the plugin.
   */
  schema?: Schema;
}

/** Creates a database with empty tables. */
export async function createTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const source = await template(options.schema ?? 'plugin');
  const name = `test_${randomBytes(6).toString('hex')}`;
  await administer(`CREATE DATABASE ${name} TEMPLATE ${source}`);
  const connectionString = (await testPostgres()).connectionString(name);
  const knex = connect(connectionString);
  return {
    knex,
    connectionString,
    async drop() {
      await knex.destroy();
      await administer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

const templates = new Map<string, Promise<string>>();

function template(schema: Schema): Promise<string> {
  let existing = templates.get(schema);
  if (!existing) {
    existing = makeTemplate(schema);
    templates.set(schema, existing);
  }
  return existing;
}

async function makeTemplate(schema: Schema): Promise<string> {
  const name = `template_${schema}`;
  await administer(`CREATE DATABASE ${name}`);
  const knex = connect((await testPostgres()).connectionString(name));
  try {
    if (schema === 'published') await knex.raw(await readFile(PUBLISHED_TABLES, 'utf8'));
    else if (schema !== 'empty') await createHostTables(knex);
    if (schema === 'plugin') await migrateUp(knex);
  } finally {
    // PostgreSQL only clones a database without other connections.
    await knex.destroy();
  }
  return name;
}

function connect(connectionString: string): Knex {
  return knexFactory({ client: 'pg', connection: connectionString, pool: { min: 0, max: 10 } });
}

/** Runs statements on the server outside the test databases. */
export async function administer(...statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: (await testPostgres()).connectionString() });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
