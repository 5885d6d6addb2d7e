import type { Knex } from 'knex';

/** The row of {@link KnexLeases.probeWrite}; not a lease. */
const PROBE = 'health';

/**
 * Leases for periodic work that only one process at a time should do. They expire by the database's clock. No
 * transaction stays open during the work: if a process dies, another takes the lease when it has expired.
 */
export class KnexLeases {
  constructor(private readonly knex: Knex) {}

  /** Takes the lease for `seconds`. Resolves to false while another lease of this name has not expired. */
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

  /** Records that the work was completed. */
  async done(name: string): Promise<void> {
    await this.knex('ota_leases').where({ name }).update({ done_at: this.knex.fn.now() });
  }

  /** Tests a write. Rejects if the database does not accept writes. */
  async probeWrite(): Promise<void> {
    await this.knex.raw(
      `INSERT INTO ota_leases (name, expires_at) VALUES (?, now())
       ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at`,
      [PROBE],
    );
  }

  /** Seconds since the work of each lease was last completed; `NaN`: never. */
  async ages(): Promise<Map<string, number>> {
    const { rows } = await this.knex.raw<{ rows: { name: string; age: number | null }[] }>(
      `SELECT name, extract(epoch FROM now() - done_at)::double precision AS age
       FROM ota_leases WHERE name <> ?`,
      [PROBE],
    );
    return new Map(rows.map(({ name, age }) => [name, age ?? NaN]));
  }
}
