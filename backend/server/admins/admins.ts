/** Who is an admin, by the settings: sessions of the platform, an OpenID provider, and tokens of pipelines. */
import type { Request, Router } from 'express';
import type { Knex } from 'knex';
import type { Logger } from 'pino';

import type { AdminIdentity } from '../../host-contract.ts';
import type { HealthCheck } from '../host/health.ts';
import { HostProblem } from '../host/problem.ts';
import { bearerToken } from '../host/tokens.ts';
import { adminRoutes } from './admin-routes.ts';
import type { AdminsSettings, OidcSettings } from './admins.schema.ts';
import { principalOfClaims } from './claims.ts';
import { cookieOptions, cookieValue } from './cookies.ts';
import { IdentityProvider } from './identity-provider.ts';
import { OidcSignIn } from './oidc-sign-in.ts';
import { ORGANIZATION_COOKIE, type Caller } from './caller.ts';
import { Organizations, type Organization } from './organizations.ts';
import { pagePath, SERVER_API } from './page-paths.ts';
import { PageSessions } from './page-sessions.ts';
import { createPlatformSessions } from './platform-sessions.ts';
import type { Principal } from './principal.ts';
import { SealedCookies } from './sealed-cookie.ts';
import { createStaticTokens } from './static-tokens.ts';
import { ThrottledLog } from './throttled-log.ts';

/** Of a user without an organization, who is never an admin. No organization has it. */
const NO_ORGANIZATION = '00000000-0000-0000-0000-000000000000';

export interface AdminsParts {
  /** The platform's database. */
  knex: Knex;
  logger: Logger;
  /** Address of this server for browsers: origin and prefix, e.g. `https://ops.example.com/ops`. */
  publicUrl: string;
  /** The prefix: empty, or e.g. `/ops`. The routes are mounted below it, unless the proxy strips it. */
  basePath: string;
}

export interface Admins {
  /**
   * Creates the tables that sign-in needs, if they are missing, and logs what the platform's database lacks. Call it
   * before the first request.
   */
  prepare(): Promise<void>;
  /**
   * For `HostContext.auth.admin`. A bearer token takes precedence over cookies, and one that is not valid is never
   * replaced by a cookie.
   *
   * @throws {HostProblem} `unavailable` if it cannot be determined who sends the request: nobody is let in
   */
  authenticate(request: Request): Promise<AdminIdentity | null>;
  /** The organizations that the sender of the request can choose from, by name. Empty: none, or not signed in. */
  organizationsOf(request: Request): Promise<Organization[]>;
  /** Sign-in, sign-out, the session and the choice of an organization. */
  routes: Router;
  /**
   * Where people go who are not signed in.
   *
   * @param next the path of the page to return to, with its query
   * @returns `null` if only pipelines can sign in
   */
  signInUrl(next: string): string | null;
  /** By name. */
  healthChecks: Record<string, HealthCheck>;
  close(): Promise<void>;
}

export function createAdmins(settings: AdminsSettings, parts: AdminsParts): Admins {
  const { basePath, knex, logger } = parts;
  const log = new ThrottledLog(logger);
  const organizations = new Organizations(knex, log);
  const staticToken = createStaticTokens(settings.tokens ?? []);
  const platform = settings.platform && createPlatformSessions(settings.platform, log);
  const oidc = settings.oidc && createOidc(settings.oidc, parts, log);

  const checksMembers = needsMembers(settings);

  async function identify(request: Request): Promise<Identified | null> {
    const token = bearerToken(request.get('authorization'));
    if (token !== null) {
      const principal = staticToken(token) ?? (await oidc?.principalOfBearer(token)) ?? null;
      return principal && { principal, credential: 'token' };
    }
    const session = settings.platform && cookieValue(request, settings.platform.cookie);
    const user = session ? await platform?.find(session) : null;
    if (user) return { principal: user, credential: 'platform' };
    const pageUser = await oidc?.sessions?.find(request);
    return pageUser ? { principal: pageUser, credential: 'page' } : null;
  }

  async function callerOf(request: Request): Promise<Caller | null> {
    const identified = await identify(request);
    if (!identified) return null;
    const { principal, credential } = identified;
    const wanted = credential === 'token' ? null : cookieValue(request, ORGANIZATION_COOKIE);
    return { ...identified, organization: await organizations.choose(principal, wanted) };
  }

  return {
    async prepare() {
      await oidc?.sessions?.createTable();
      // Sessions of the platform may name an organization themselves, so this is logged, and no reason to stop.
      if (platform || checksMembers) await organizations.checkMembers().catch(ignoreProblem);
    },
    async authenticate(request) {
      const caller = await callerOf(request);
      if (!caller) return null;
      const { principal, organization } = caller;
      return {
        userId: principal.userId,
        name: principal.name,
        organizationId: organization?.id ?? NO_ORGANIZATION,
        isAdmin: organization?.isAdmin ?? false,
      };
    },
    async organizationsOf(request) {
      const identified = await identify(request);
      return identified ? organizations.list(identified.principal) : [];
    },
    routes: adminRoutes({
      callerOf,
      organizations,
      signIn: oidc?.signIn ?? null,
      basePath,
      cookie: cookieOptions(new URL(parts.publicUrl), basePath),
    }),
    signInUrl(next) {
      const path = pagePath(next, basePath);
      if (oidc?.signIn) {
        return `${basePath}${SERVER_API}/sign-in?next=${encodeURIComponent(path)}`;
      }
      const returnTo = encodeURIComponent(basePath + path);
      return settings.platform?.sign_in_url.replaceAll('{next}', returnTo) ?? null;
    },
    healthChecks: {
      ...platform?.healthChecks,
      ...(checksMembers && {
        organization_members: {
          run: () => organizations.checkMembers(),
          failure: 'The table organization_members cannot be used; see the log.',
        },
      }),
      ...(oidc && {
        // Discovery is kept once it succeeded: a later outage of the provider does not stop devices.
        openid_provider: {
          run: () => oidc.provider.configuration(),
          failure: 'The OpenID provider has not been reached; see the log.',
        },
      }),
    },
    async close() {
      platform?.close();
    },
  };
}

function ignoreProblem(error: unknown): void {
  if (!(error instanceof HostProblem)) throw error;
}

interface Identified {
  principal: Principal;
  credential: Caller['credential'];
}

interface Oidc {
  provider: IdentityProvider;
  principalOfBearer(token: string): Promise<Principal | null>;
  /** `null`: bearer tokens only. */
  sessions: PageSessions | null;
  signIn: OidcSignIn | null;
}

function createOidc(settings: OidcSettings, parts: AdminsParts, log: ThrottledLog): Oidc {
  const provider = new IdentityProvider(settings, log);
  const { sign_in: signIn } = settings;
  const bearer: Pick<Oidc, 'provider' | 'principalOfBearer'> = {
    provider,
    async principalOfBearer(token) {
      const claims = await provider.verifyBearer(token);
      return claims && principalOfClaims([claims], settings.claims);
    },
  };
  if (!signIn) return { ...bearer, sessions: null, signIn: null };
  const { basePath, knex, logger } = parts;
  const publicUrl = parts.publicUrl.replace(/\/+$/, '');
  const cookie = cookieOptions(new URL(publicUrl), basePath);
  const sealed = new SealedCookies(signIn.session_secret, log);
  const sessions = new PageSessions(knex, sealed, cookie, Math.ceil(signIn.session_hours * 3600));
  const flow = new OidcSignIn({
    settings: { ...settings, sign_in: signIn },
    ...{ provider, sessions, sealed, logger, publicUrl, basePath, cookie },
  });
  return { ...bearer, sessions, signIn: flow };
}

/** Sessions of the platform may name an organization instead, so the table is only needed for sure without them. */
function needsMembers({ oidc }: AdminsSettings): boolean {
  return oidc !== undefined && oidc.claims.organization === undefined;
}
