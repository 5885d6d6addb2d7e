/** The users of the stand-in host: one admin in each of one or two organizations. */
import type { Knex } from 'knex';

import { newToken, tokenHash } from '../../backend/server/host/tokens.ts';

const FIRST = {
  organizationId: '0f5a7b5e-3c1d-4b52-9d0a-6f0f3a4f1a01',
  organization: 'Ops-Center',
  userId: '0f5a7b5e-3c1d-4b52-9d0a-6f0f3a4f1a02',
  name: 'Operations admin',
  email: 'operations@ops-center.example',
};
const SECOND = {
  organizationId: '0f5a7b5e-3c1d-4b52-9d0a-6f0f3a4f1b01',
  organization: 'Second organization',
  userId: '0f5a7b5e-3c1d-4b52-9d0a-6f0f3a4f1b02',
  name: 'Second admin',
  email: 'second@ops-center.example',
};

export interface HostAdmin {
  userId: string;
  organizationId: string;
  /** Bearer token of the admin API. */
  token: string;
}

export function ensureAdmin(knex: Knex, token: string | undefined): Promise<HostAdmin> {
  return ensure(knex, FIRST, token ?? newToken('admin'));
}

/** An admin of another organization, to check that organizations are isolated from each other. */
export function ensureSecondAdmin(knex: Knex, token: string): Promise<HostAdmin> {
  return ensure(knex, SECOND, token);
}

/** Creates the admin if missing, and replaces the tokens of earlier starts with this one. */
async function ensure(knex: Knex, user: typeof FIRST, token: string): Promise<HostAdmin> {
  const { organizationId, userId } = user;
  await knex.transaction(async (transaction) => {
    await transaction('organizations')
      .insert({ id: organizationId, name: user.organization })
      .onConflict('id')
      .ignore();
    await transaction('keycloak_users')
      .insert({ id: userId, email: user.email })
      .onConflict('id')
      .ignore();
    await transaction('users')
      .insert({ id: userId, organization_id: organizationId, name: user.name, is_admin: true })
      .onConflict('id')
      .ignore();
    // Processes that start at the same time replace the tokens one after the other.
    await transaction('users').where({ id: userId }).forUpdate().select('id');
    await transaction('user_tokens').where({ user_id: userId }).delete();
    await transaction('user_tokens').insert({ token_hash: tokenHash(token), user_id: userId });
  });
  return { userId, organizationId, token };
}
