import type { IncomingMessage } from 'node:http';

import DataLoader from 'dataloader';
import type { Knex } from 'knex';

import type { DeviceIdentity } from '../../backend/host-contract.ts';
import { bearerToken, tokenHash } from './tokens.ts';

const MAX_BATCH = 500;
/** Under load, more requests share a statement; a request after a pause does not wait. */
const MIN_INTERVAL_MS = 5;

interface TokenRow {
  hash: string;
  deviceId: string;
  organizationId: string;
}

/**
 * Authenticates devices by bearer token. Requests that arrive together share one statement. Nothing is
 * cached, so a revoked token stops working at once.
 */
export function createDeviceAuth(
  knex: Knex,
): (request: IncomingMessage) => Promise<DeviceIdentity | null> {
  const slot = new StatementSlot();
  const devices = new DataLoader<string, DeviceIdentity | null>(
    (hashes) => findDevices(knex, hashes).finally(() => slot.release()),
    {
      cache: false,
      maxBatchSize: MAX_BATCH,
      batchScheduleFn: (dispatch) => slot.acquire(dispatch),
    },
  );
  return async (request) => {
    const token = bearerToken(request.headers.authorization);
    return token === null ? null : devices.load(tokenHash(token).toString('hex'));
  };
}

/** Runs one statement at a time, with an interval: requests that arrive meanwhile share the next one. */
class StatementSlot {
  readonly #waiting: (() => void)[] = [];
  #taken = false;
  /** When the next statement may start, on the clock of `performance.now()`. */
  #earliest = -Infinity;

  acquire(dispatch: () => void): void {
    if (this.#taken) {
      this.#waiting.push(dispatch);
    } else {
      this.#taken = true;
      this.#start(dispatch);
    }
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next) this.#start(next);
    else this.#taken = false;
  }

  #start(dispatch: () => void): void {
    const now = performance.now();
    const waitMs = this.#earliest - now;
    this.#earliest = Math.max(this.#earliest, now) + MIN_INTERVAL_MS;
    if (waitMs > 0) setTimeout(dispatch, waitMs);
    else setImmediate(dispatch);
  }
}

async function findDevices(
  knex: Knex,
  hashes: readonly string[],
): Promise<(DeviceIdentity | null)[]> {
  const found = await knex
    .raw<{ rows: TokenRow[] }>(
      `SELECT encode(t.token_hash, 'hex') AS hash, d.id AS "deviceId",
              d.organization_id AS "organizationId"
         FROM edge_device_tokens t JOIN edge_devices d ON d.id = t.device_id
        WHERE t.token_hash = ANY(?::bytea[])`,
      [hashes.map((hash) => Buffer.from(hash, 'hex'))],
    )
    .options({ name: 'host_device_tokens' });
  const byHash = new Map(
    found.rows.map(({ hash, deviceId, organizationId }) => [hash, { deviceId, organizationId }]),
  );
  return hashes.map((hash) => byHash.get(hash) ?? null);
}
