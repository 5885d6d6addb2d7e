/** The people of the stand-in: one admin in each of one or two organizations. */
import type { Knex } from 'knex';

import { newToken, tokenHash } from './tokens.ts';

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

export interface StandingAdmin {
  userId: string;
  organizationId: string;
  /** Bearer token of the admin API. */
  token: string;
}

export function ensureAdmin(knex: Knex, token: string | undefined): Promise<StandingAdmin> {
  return ensure(knex, FIRST, token ?? newToken('admin'));
}

/** An admin of another organization, to try that organizations do not see each other. */
export function ensureSecondAdmin(knex: Knex, token: string): Promise<StandingAdmin> {
  return ensure(knex, SECOND, token);
}

/** From now on only this token is the admin's; tokens of earlier starts end. */
async function ensure(knex: Knex, who: typeof FIRST, token: string): Promise<StandingAdmin> {
  const { organizationId, userId } = who;
  await knex.transaction(async (transaction) => {
    await transaction('organizations')
      .insert({ id: organizationId, name: who.organization })
      .onConflict('id')
      .ignore();
    await transaction('keycloak_users')
      .insert({ id: userId, email: who.email })
      .onConflict('id')
      .ignore();
    await transaction('users')
      .insert({ id: userId, organization_id: organizationId, name: who.name, is_admin: true })
      .onConflict('id')
      .ignore();
    await transaction('user_tokens').where({ user_id: userId }).delete();
    await transaction('user_tokens').insert({ token_hash: tokenHash(token), user_id: userId });
  });
  return { userId, organizationId, token };
}
