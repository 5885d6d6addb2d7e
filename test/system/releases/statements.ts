/**
 * The SQL statements of a release, recorded from a rollout that uses every feature. They are kept and
 * checked against the schema of later releases (docs/decisions/expand-then-contract.md).
 */
import pg from 'pg';
import type { Knex } from 'knex';

const OWN_TABLE = /\bota_\w+/;
const STATEMENT = /^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b/i;

/** Records the text of every statement on the plugin's tables that `work` sends. */
export async function recordStatements(work: () => Promise<void>): Promise<string[]> {
  const texts = new Set<string>();
  const original = pg.Client.prototype.query;
  const recording = function (this: pg.Client, ...args: unknown[]): unknown {
    const [query] = args;
    const text = typeof query === 'string' ? query : (query as { text?: unknown } | null)?.text;
    if (typeof text === 'string' && STATEMENT.test(text) && OWN_TABLE.test(text)) texts.add(text);
    return (original as (...given: unknown[]) => unknown).apply(this, args);
  };
  pg.Client.prototype.query = recording as typeof original;
  try {
    await work();
  } finally {
    pg.Client.prototype.query = original;
  }
  return [...texts].sort();
}

/** Prepares each statement without running it. Returns those that the schema does not support. */
export async function unsupportedStatements(knex: Knex, statements: string[]): Promise<string[]> {
  const unsupported: string[] = [];
  for (const statement of statements) {
    try {
      // PREPARE checks tables, columns and types without needing values.
      await knex.transaction((session) =>
        session
          .raw(`PREPARE replay AS ${statement.replaceAll('?', '\\?')}`)
          .then(() => session.raw('DEALLOCATE replay')),
      );
    } catch (error) {
      unsupported.push(`${(error as Error).message}\n${statement}`);
    }
  }
  return unsupported;
}
