/**
 * Authenticates devices of an Ops-Center that stores no tokens: each device is enrolled with the token of its
 * first request (SECURITY.md).
 */
import type { IncomingMessage } from 'node:http';

import type { Router } from 'express';
import type { Knex } from 'knex';
import type { Logger } from 'pino';

import type { DeviceIdentity, HostContext } from '../../host-contract.ts';
import { createDeviceTokenLookup } from '../host/device-token-lookup.ts';
import { tokenHash } from '../host/tokens.ts';
import { clientAddressFinder } from './client-address.ts';
import { claimedDeviceId, deviceToken } from './device-claim.ts';
import { EnrolmentCleanup } from './enrolment-cleanup.ts';
import { enrolmentRoutes } from './enrolment-routes.ts';
import type { EnrolmentSettings } from './enrolment-settings.ts';
import { findTokenOwners } from './enrolment.repository.ts';
import { createFirstUse } from './first-use.ts';
import { migrateServerTables } from './schema/migrator.ts';

export interface EnrolmentParts {
  knex: Knex;
  logger: Logger;
  admin: HostContext['auth']['admin'];
  /** Addresses, subnets and names as for Express's `trust proxy`. */
  trustedProxies: readonly string[];
}

export interface Enrolment {
  /** Creates the tables. Safe when several processes start at once. */
  migrate(): Promise<void>;
  /**
   * `auth.device` of the plugin. `null`: no token, or one that is refused. Rejects if the database does not
   * respond.
   */
  authenticate(request: IncomingMessage): Promise<DeviceIdentity | null>;
  /** For admins; mounted at `/api/v1/admin/ota-server/enrolment`. */
  routes: Router;
  /** Starts the periodic cleanup; resolves after the first one. */
  start(): Promise<void>;
  /** Stops the cleanup. */
  close(): Promise<void>;
}

/** @throws TypeError if a trusted proxy is not valid */
export function createEnrolment(settings: EnrolmentSettings, parts: EnrolmentParts): Enrolment {
  const { knex, logger, admin } = parts;
  const { hoursAfterRegistration } = settings;
  const clientAddress = clientAddressFinder(parts.trustedProxies);
  const ownerOf = createDeviceTokenLookup((hashes) => findTokenOwners(knex, hashes));
  const claim = createFirstUse(knex, logger, hoursAfterRegistration);
  const cleanup = new EnrolmentCleanup(knex, logger);
  return {
    migrate: () => migrateServerTables(knex),
    async authenticate(request) {
      const token = deviceToken(request);
      if (token === null) return null;
      // Read first: it is unknown once the client has disconnected.
      const address = clientAddress(request);
      const owner = await ownerOf(token);
      if (owner) return owner;
      const deviceId = claimedDeviceId(request);
      if (deviceId === null) return null;
      return claim({ deviceId, tokenHash: tokenHash(token).toString('hex'), address });
    },
    routes: enrolmentRoutes({ knex, logger, admin, clientAddress, hoursAfterRegistration }),
    start: () => cleanup.start(),
    close: () => cleanup.stop(),
  };
}
