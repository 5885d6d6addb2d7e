import type { Request } from 'express';
import type { Knex } from 'knex';

import type { AdminIdentity } from '../../backend/host-contract.ts';
import { sessionToken } from './session-cookie.ts';
import { bearerToken, tokenHash } from '../../backend/server/host/tokens.ts';

/** Authenticates admins by bearer token or by the page's session cookie. */
export function createAdminAuth(knex: Knex): (request: Request) => Promise<AdminIdentity | null> {
  return async (request) => {
    const token = bearerToken(request.get('authorization'));
    if (token !== null) return userOfToken(knex, token);
    const session = sessionToken(request);
    return session === null ? null : userOfSession(knex, session);
  };
}

const IDENTITY = {
  userId: 'users.id',
  name: 'users.name',
  organizationId: 'users.organization_id',
  isAdmin: 'users.is_admin',
};

async function userOfToken(knex: Knex, token: string): Promise<AdminIdentity | null> {
  const user = await knex('user_tokens')
    .join('users', 'users.id', 'user_tokens.user_id')
    .where('token_hash', tokenHash(token))
    .first<AdminIdentity | undefined>(IDENTITY);
  return user ?? null;
}

async function userOfSession(knex: Knex, session: string): Promise<AdminIdentity | null> {
  const user = await knex('user_sessions')
    .join('users', 'users.id', 'user_sessions.user_id')
    .where('session_hash', tokenHash(session))
    .where('expires_at', '>', knex.fn.now())
    .first<AdminIdentity | undefined>(IDENTITY);
  return user ?? null;
}
