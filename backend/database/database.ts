import type { Knex } from 'knex';
import { token } from '../kernel/token.ts';

/** The plugin's own Knex, over the host's pool of connections. */
export type Database = Knex;
export const Database = token<Database>('Database');
