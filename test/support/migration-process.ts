import { spawn, type ChildProcess } from 'node:child_process';

const MIGRATOR = new URL('../../migrations/migrator.ts', import.meta.url).href;
const SCRIPT = `
  import knexFactory from 'knex';
  const { migrateUp } = await import(${JSON.stringify(MIGRATOR)});
  const knex = knexFactory({ client: 'pg', connection: process.env.MIGRATED_DATABASE });
  await migrateUp(knex);
  await knex.destroy();
`;

/** Starts a process that migrates the database and exits. */
export function startMigrationProcess(databaseUrl: string): ChildProcess {
  return spawn(process.execPath, ['--import=tsx', '--input-type=module', '--eval', SCRIPT], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, MIGRATED_DATABASE: databaseUrl },
  });
}
