/**
 * Sessions of the page after a sign-in with the OpenID provider. The encrypted cookie holds the user, so every api
 * process can read it; the database holds the sessions that were ended before they expired.
 */
import { randomUUID } from 'node:crypto';

import type { CookieOptions, Request, Response } from 'express';
import type { JWTPayload } from 'jose';
import type { Knex } from 'knex';

import { HostProblem } from '../host/problem.ts';
import { cookieValue } from './cookies.ts';
import { isUuid, shortText, type Principal } from './principal.ts';
import type { SealedCookies } from './sealed-cookie.ts';

const COOKIE = 'ota_session';
/** Browsers drop cookies of more than 4,096 bytes with their name and attributes. */
const MAX_COOKIE = 3_800;

export class PageSessions {
  readonly #knex: Knex;
  readonly #sealed: SealedCookies;
  readonly #cookie: CookieOptions;
  readonly #seconds: number;

  constructor(knex: Knex, sealed: SealedCookies, cookie: CookieOptions, seconds: number) {
    this.#knex = knex;
    this.#sealed = sealed;
    this.#cookie = cookie;
    this.#seconds = seconds;
  }

  /** Creates the table if it is missing. */
  async createTable(): Promise<void> {
    await this.#knex.transaction(async (transaction) => {
      // IF NOT EXISTS is not safe when several processes start at the same time.
      await transaction.raw(`SELECT pg_advisory_xact_lock(hashtext('ota-server-ended-sessions'))`);
      await transaction.raw(
        `CREATE TABLE IF NOT EXISTS ota_server_ended_sessions (
           session_id uuid PRIMARY KEY,
           expires_at timestamptz NOT NULL
         )`,
      );
    });
  }

  /** The user of the session; `null` if there is none, or it expired or ended. */
  async find(request: Request): Promise<Principal | null> {
    const session = await this.#open(request);
    if (!session) return null;
    const ended = await this.#knex('ota_server_ended_sessions')
      .where({ session_id: session.id })
      .first<{ session_id: string } | undefined>('session_id');
    return ended ? null : session.principal;
  }

  /** @throws {HostProblem} `forbidden` if the user has more organizations than a cookie can hold */
  async start(response: Response, principal: Principal): Promise<void> {
    const value = await this.#sealed.seal('session', payloadOf(principal), this.#seconds);
    if (value.length > MAX_COOKIE) {
      throw new HostProblem(
        'forbidden',
        'Your account names too many organizations. Ask for an account with fewer.',
      );
    }
    response.cookie(COOKIE, value, { ...this.#cookie, maxAge: this.#seconds * 1000 });
  }

  /** Also ends copies of the cookie. */
  async end(request: Request, response: Response): Promise<void> {
    const session = await this.#open(request);
    response.clearCookie(COOKIE, this.#cookie);
    if (!session) return;
    const ended = this.#knex('ota_server_ended_sessions');
    await ended.clone().where('expires_at', '<', this.#knex.fn.now()).delete();
    await ended
      .clone()
      .insert({ session_id: session.id, expires_at: session.expiresAt })
      .onConflict('session_id')
      .ignore();
  }

  async #open(request: Request): Promise<OpenSession | null> {
    const value = cookieValue(request, COOKIE);
    const payload = value === null ? null : await this.#sealed.open('session', value);
    return payload && sessionOf(payload);
  }
}

interface OpenSession {
  id: string;
  expiresAt: Date;
  principal: Principal;
}

function payloadOf(principal: Principal): JWTPayload {
  return {
    jti: randomUUID(),
    sub: principal.userId,
    name: principal.name,
    email: principal.email,
    admin: principal.isAdmin,
    system_admin: principal.isSystemAdmin,
    organizations: principal.organizationIds,
  };
}

/** The cookie is authentic, but an earlier release may have written it. */
function sessionOf(payload: JWTPayload): OpenSession | null {
  const { jti: id, sub, exp, organizations } = payload;
  const userId = shortText(sub);
  if (!isUuid(id) || userId === null || exp === undefined) return null;
  if (organizations !== null && !Array.isArray(organizations)) return null;
  return {
    id,
    expiresAt: new Date(exp * 1000),
    principal: {
      userId,
      name: shortText(payload['name']),
      email: shortText(payload['email']),
      isAdmin: payload['admin'] === true,
      isSystemAdmin: payload['system_admin'] === true,
      organizationIds: organizations?.filter(isUuid) ?? null,
      currentOrganizationId: null,
    },
  };
}
