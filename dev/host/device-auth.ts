import type { IncomingMessage } from 'node:http';

import type { Knex } from 'knex';

import type { DeviceIdentity } from '../../backend/host-contract.ts';
import {
  createDeviceTokenLookup,
  type TokenOwner,
} from '../../backend/server/host/device-token-lookup.ts';
import { bearerToken } from '../../backend/server/host/tokens.ts';

/** Authenticates devices by bearer token. */
export function createDeviceAuth(
  knex: Knex,
): (request: IncomingMessage) => Promise<DeviceIdentity | null> {
  const ownerOf = createDeviceTokenLookup((hashes) => findDevices(knex, hashes));
  return async (request) => {
    const token = bearerToken(request.headers.authorization);
    return token === null ? null : ownerOf(token);
  };
}

async function findDevices(knex: Knex, hashes: readonly Buffer[]): Promise<TokenOwner[]> {
  const { rows } = await knex
    .raw<{ rows: TokenOwner[] }>(
      `SELECT t.token_hash AS hash, d.id AS "deviceId", d.organization_id AS "organizationId"
         FROM edge_device_tokens t JOIN edge_devices d ON d.id = t.device_id
        WHERE t.token_hash = ANY(?::bytea[])`,
      [[...hashes]],
    )
    .options({ name: 'host_device_tokens' });
  return rows;
}
