/** Looks device tokens up in batches, because every poll needs one. */
import DataLoader from 'dataloader';

import type { DeviceIdentity } from '../../host-contract.ts';
import { StatementSlot } from './statement-slot.ts';
import { tokenHash } from './tokens.ts';

const MAX_BATCH = 500;
/** Under load, more requests share a statement; a request after a pause does not wait. */
const MIN_INTERVAL_MS = 5;

/** A device and the hash of its token, as stored. */
export interface TokenOwner extends DeviceIdentity {
  hash: Buffer;
}

/**
 * Requests that arrive together share one statement. Nothing is cached, so a revoked token stops working at once.
 *
 * @param find the devices of those hashes that are known, in any order
 */
export function createDeviceTokenLookup(
  find: (hashes: readonly Buffer[]) => Promise<readonly TokenOwner[]>,
): (token: string) => Promise<DeviceIdentity | null> {
  const slot = new StatementSlot(MIN_INTERVAL_MS);
  const devices = new DataLoader<string, DeviceIdentity | null>(
    (hashes) => findInOrder(find, hashes).finally(() => slot.release()),
    {
      cache: false,
      maxBatchSize: MAX_BATCH,
      batchScheduleFn: (dispatch) => slot.acquire(dispatch),
    },
  );
  return (token) => devices.load(tokenHash(token).toString('hex'));
}

async function findInOrder(
  find: (hashes: readonly Buffer[]) => Promise<readonly TokenOwner[]>,
  hashes: readonly string[],
): Promise<(DeviceIdentity | null)[]> {
  const found = await find(hashes.map((hash) => Buffer.from(hash, 'hex')));
  const byHash = new Map(
    found.map(({ hash, deviceId, organizationId }) => [
      hash.toString('hex'),
      { deviceId, organizationId },
    ]),
  );
  return hashes.map((hash) => byHash.get(hash) ?? null);
}
