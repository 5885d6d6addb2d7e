/** The API with which admins decide about devices. Mounted at `/api/v1/admin/ota-server/enrolment`. */
import type { IncomingMessage } from 'node:http';

import express, { Router, type Request } from 'express';
import type { Knex } from 'knex';
import type { Logger } from 'pino';

import type { AdminIdentity, HostContext } from '../../host-contract.ts';
import { HostProblem, validated } from '../host/problem.ts';
import {
  admitRequest,
  closeWindow,
  dismissRequest,
  listRequests,
  openWindow,
  readWindow,
  revokeToken,
} from './enrolment-admin.repository.ts';
import {
  DEVICE_ID,
  REQUEST_ID,
  requestListQuery,
  windowBody,
} from './enrolment-requests.schema.ts';
import { fingerprint } from './fingerprint.ts';

const BODY_LIMIT = '16kb';
const UNIQUE_VIOLATION = '23505';

export interface EnrolmentRoutesParts {
  knex: Knex;
  logger: Logger;
  admin: HostContext['auth']['admin'];
  clientAddress: (request: IncomingMessage) => string | null;
  hoursAfterRegistration: number;
}

export function enrolmentRoutes(parts: EnrolmentRoutesParts): Router {
  const { knex, logger, hoursAfterRegistration } = parts;
  const windowView = (openUntil: Date | null) => ({
    open_until: openUntil,
    hours_after_registration: hoursAfterRegistration,
  });
  /** Each action is logged with who did it. */
  const logAction = (
    request: Request,
    admin: AdminIdentity,
    action: string,
    details: Record<string, unknown>,
  ): void => {
    const { userId, name, organizationId } = admin;
    const actor = { user_id: userId, name, address: parts.clientAddress(request) };
    const entry = { action, actor, organization_id: organizationId, ...details };
    logger.info(entry, 'An admin changed the enrolment of devices');
  };

  return Router()
    .use((_request, response, next) => {
      response.set('Cache-Control', 'no-store');
      next();
    })
    .get('/requests', async (request, response) => {
      const { organizationId } = await requireAdmin(parts.admin, request);
      const { search, cursor, limit } = validated(requestListQuery, request.query);
      const before = cursor || null;
      const found = await listRequests(knex, { organizationId, search, before, limit: limit + 1 });
      const requests = found.slice(0, limit);
      const last = found.length > limit ? requests.at(-1) : undefined;
      response.json({ requests, next_cursor: last?.request_id ?? null });
    })
    .post('/requests/:id/admit', async (request, response) => {
      const admin = await requireAdmin(parts.admin, request);
      const id = idOf(request, REQUEST_ID);
      const admitted = await admitRequest(knex, admin.organizationId, id).catch(rejectForeignToken);
      if (!admitted) throw nothingHere();
      logAction(request, admin, 'admit', {
        device_id: admitted.deviceId,
        token_fingerprint: fingerprint(admitted.tokenHash),
        device_address: admitted.address,
      });
      response.json({ device_id: admitted.deviceId, enrolled_at: admitted.enrolledAt });
    })
    .delete('/requests/:id', async (request, response) => {
      const admin = await requireAdmin(parts.admin, request);
      const dismissed = await dismissRequest(knex, admin.organizationId, idOf(request, REQUEST_ID));
      if (!dismissed) throw nothingHere();
      logAction(request, admin, 'dismiss', {
        device_id: dismissed.deviceId,
        token_fingerprint: fingerprint(dismissed.tokenHash),
      });
      response.status(204).end();
    })
    .get('/window', async (request, response) => {
      const { organizationId } = await requireAdmin(parts.admin, request);
      response.json(windowView(await readWindow(knex, organizationId)));
    })
    .post('/window', express.json({ limit: BODY_LIMIT }), async (request, response) => {
      const admin = await requireAdmin(parts.admin, request);
      const { hours } = validated(windowBody, request.body);
      const openUntil = await openWindow(knex, admin.organizationId, hours);
      logAction(request, admin, 'open_window', { hours, open_until: openUntil });
      response.json(windowView(openUntil));
    })
    .delete('/window', async (request, response) => {
      const admin = await requireAdmin(parts.admin, request);
      await closeWindow(knex, admin.organizationId);
      logAction(request, admin, 'close_window', {});
      response.json(windowView(null));
    })
    .delete('/devices/:id', async (request, response) => {
      const admin = await requireAdmin(parts.admin, request);
      const revoked = await revokeToken(knex, admin.organizationId, idOf(request, DEVICE_ID));
      if (!revoked) throw nothingHere();
      logAction(request, admin, 'revoke', {
        device_id: revoked.deviceId,
        token_fingerprint: fingerprint(revoked.tokenHash),
      });
      response.status(204).end();
    });
}

/** @throws {HostProblem} `unauthenticated`, `forbidden` */
async function requireAdmin(
  authenticate: HostContext['auth']['admin'],
  request: Request,
): Promise<AdminIdentity> {
  const admin = await authenticate(request);
  if (!admin) throw new HostProblem('unauthenticated', 'Sign in, or send a valid bearer token.');
  if (!admin.isAdmin) throw new HostProblem('forbidden', 'Only admins can do this.');
  return admin;
}

/** Anything that cannot be an id is answered like an unknown id. */
function idOf(request: Request, pattern: RegExp): string {
  const id = request.params['id'];
  if (typeof id !== 'string' || !pattern.test(id)) throw nothingHere();
  return id;
}

/** The same for unknown ids and for those of other organizations. */
function nothingHere(): HostProblem {
  return new HostProblem('not_found', 'There is no such request or enrolled device.');
}

function rejectForeignToken(error: unknown): never {
  if ((error as { code?: unknown }).code !== UNIQUE_VIOLATION) throw error;
  throw new HostProblem('conflict', 'This token belongs to another device.');
}
