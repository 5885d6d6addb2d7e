/**
 * What a release asks of the database, recorded from a rollout that uses everything; kept with the
 * release, and asked of the schema of the next one (docs/decisions/expand-then-contract.md).
 */
import pg from 'pg';
import type { Knex } from 'knex';

const OWN_TABLE = /\bota_\w+/;
const QUESTION = /^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b/i;

/** Collects the texts of all statements that `work` makes, however it makes them. */
export async function recordStatements(work: () => Promise<void>): Promise<string[]> {
  const texts = new Set<string>();
  const original = pg.Client.prototype.query;
  const recording = function (this: pg.Client, ...args: unknown[]): unknown {
    const [query] = args;
    const text = typeof query === 'string' ? query : (query as { text?: unknown } | null)?.text;
    if (typeof text === 'string' && QUESTION.test(text) && OWN_TABLE.test(text)) texts.add(text);
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

/** Has the database understand each statement, without running it; answers those it cannot. */
export async function refusedStatements(knex: Knex, statements: string[]): Promise<string[]> {
  const refused: string[] = [];
  for (const statement of statements) {
    try {
      // The extended protocol would want values; PREPARE finds tables, columns and types alone.
      await knex.transaction((session) =>
        session
          .raw(`PREPARE replay AS ${statement.replaceAll('?', '\\?')}`)
          .then(() => session.raw('DEALLOCATE replay')),
      );
    } catch (error) {
      refused.push(`${(error as Error).message}\n${statement}`);
    }
  }
  return refused;
}
