import type { Knex } from 'knex';

/** The row that is written to see whether the database takes anything; nobody's turn. */
const PROBE = 'health';

/**
 * Turns that processes take at what has to be done once, judged by the database's clock. No transaction
 * stays open meanwhile: a process that dies in its turn is followed by another when the turn is over.
 */
export class KnexLeases {
  constructor(private readonly knex: Knex) {}

  /** Whether the turn is ours for so many seconds; not before the last one is over. */
  async take(name: string, seconds: number): Promise<boolean> {
    const { rows } = await this.knex.raw<{ rows: unknown[] }>(
      `INSERT INTO ota_leases (name, expires_at)
       VALUES (:name, now() + make_interval(secs => CAST(:seconds AS double precision)))
       ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at
         WHERE ota_leases.expires_at <= now()
       RETURNING 1`,
      { name, seconds },
    );
    return rows.length > 0;
  }

  /** What the turn was for has been done to its end. */
  async done(name: string): Promise<void> {
    await this.knex('ota_leases').where({ name }).update({ done_at: this.knex.fn.now() });
  }

  /** Writes, and changes nothing. Rejects while the database takes no writes. */
  async probeWrite(): Promise<void> {
    await this.knex.raw(
      `INSERT INTO ota_leases (name, expires_at) VALUES (?, now())
       ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at`,
      [PROBE],
    );
  }

  /** Seconds since each was last done to its end; `NaN`: never. */
  async ages(): Promise<Map<string, number>> {
    const { rows } = await this.knex.raw<{ rows: { name: string; age: number | null }[] }>(
      `SELECT name, extract(epoch FROM now() - done_at)::double precision AS age
       FROM ota_leases WHERE name <> ?`,
      [PROBE],
    );
    return new Map(rows.map(({ name, age }) => [name, age ?? NaN]));
  }
}
