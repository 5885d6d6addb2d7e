/** Browser sessions, and the one-time login links that create them. */
import type { Knex } from 'knex';

import { newToken, tokenHash } from '../../backend/server/host/tokens.ts';

export const SESSION_SECONDS = 12 * 60 * 60;

/** Returns the token for the session cookie. */
export async function openSession(knex: Knex, userId: string): Promise<string> {
  const session = newToken('session');
  await knex('user_sessions').insert({
    session_hash: tokenHash(session),
    user_id: userId,
    expires_at: sessionExpiry(knex),
  });
  return session;
}

export async function closeSession(knex: Knex, session: string): Promise<void> {
  await knex('user_sessions').where('session_hash', tokenHash(session)).delete();
}

/** Returns the code of a link that signs the user in once, within {@link SESSION_SECONDS}. */
export async function createLoginLink(knex: Knex, userId: string): Promise<string> {
  const code = newToken('login');
  await knex('login_links').insert({
    code_hash: tokenHash(code),
    user_id: userId,
    expires_at: sessionExpiry(knex),
  });
  return code;
}

/** Returns the user's id; `null` if the link is unknown, used or expired. */
export async function redeemLoginLink(knex: Knex, code: string): Promise<string | null> {
  const [link] = await knex('login_links')
    .where('code_hash', tokenHash(code))
    .where('expires_at', '>', knex.fn.now())
    .delete()
    .returning<{ user_id: string }[]>('user_id');
  return link?.user_id ?? null;
}

export async function removeExpiredSessions(knex: Knex): Promise<void> {
  await knex('user_sessions').where('expires_at', '<', knex.fn.now()).delete();
  await knex('login_links').where('expires_at', '<', knex.fn.now()).delete();
}

function sessionExpiry(knex: Knex): Knex.Raw {
  return knex.raw(`now() + ? * interval '1 second'`, [SESSION_SECONDS]);
}
