/** `ota-server --try`: a database of its own, so that a look at the product needs nothing else. */
import path from 'node:path';

import knexFactory from 'knex';

import { PUBLISHED_TABLES } from './host/published-tables.ts';
import { newToken, tokenHash } from './host/tokens.ts';
import { startEmbeddedPostgres } from './postgres/embedded-postgres.ts';
import { DEFAULT_PORT, type ServerSettings } from './settings/settings.ts';
import type { RawSettings } from './settings/sources.ts';

/** The organization that the token of the trial belongs to. */
const ORGANIZATION_ID = '0f5a7b5e-3c1d-4b52-9d0a-6f0f3a4f1c01';
const TOKEN_NAME = 'trial';

export interface Trial {
  /** Settings that the trial brings, for those that are not given. */
  defaults: RawSettings;
  /** Creates the tables of Ops-Center that are missing, and the organization of the trial if its token is used. */
  createTables(settings: ServerSettings): Promise<void>;
  /** How to use it. Contains the token of the trial if it is used. */
  message(settings: ServerSettings): string;
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL unless the settings name a database.
 *
 * @param given the settings so far, not validated
 * @param dataDir where its data is kept from one trial to the next
 */
export async function prepareTrial(given: RawSettings, dataDir: string): Promise<Trial> {
  const folder = path.resolve(dataDir, 'postgres');
  const postgres =
    given['database_url'] === undefined
      ? await startEmbeddedPostgres({ dataDir: folder, persistent: true })
      : null;
  const token = newToken('trial');
  const sha256 = tokenHash(token).toString('hex');
  const usesToken = ({ admins }: ServerSettings): boolean =>
    (admins.tokens ?? []).some((one) => one.sha256 === sha256);
  return {
    defaults: {
      public_url: `http://localhost:${portOf(given)}`,
      admins: { tokens: [{ name: TOKEN_NAME, sha256, organization_id: ORGANIZATION_ID }] },
      ota: { allow_insecure_loopback_packages: true },
      ...(postgres && { database_url: postgres.connectionString() }),
    },
    async createTables(settings) {
      const knex = knexFactory({
        client: 'pg',
        connection: settings.databaseUrl,
        pool: { min: 0, max: 1 },
      });
      try {
        await knex.raw(PUBLISHED_TABLES);
        if (!usesToken(settings)) return;
        await knex('organizations')
          .insert({ id: ORGANIZATION_ID, name: 'Trial' })
          .onConflict('id')
          .ignore();
      } finally {
        await knex.destroy();
      }
    },
    message(settings) {
      const lines = [
        '',
        `ota-server is running, for a trial: ${settings.publicUrl.href}`,
        `Database: ${postgres ? `PostgreSQL in ${folder}` : 'as configured'}. Queue: ${settings.redisUrl ? 'Redis' : 'in PostgreSQL'}.`,
        ...(usesToken(settings)
          ? ['Admin token (valid until the next start):', `  ${token}`]
          : ['Admins: as configured.']),
        '',
      ];
      return `${lines.join('\n')}\n`;
    },
    stop: async () => postgres?.stop(),
  };
}

/** One that is not valid is reported by the validation. */
function portOf({ port }: RawSettings): string | number {
  return typeof port === 'string' || typeof port === 'number' ? port : DEFAULT_PORT;
}
