/** What the page's shell needs: the session, the choice of an organization, sign-in and sign-out. */
import express, { Router, type CookieOptions, type Request } from 'express';
import Joi from 'joi';

import { HostProblem, validated } from '../host/problem.ts';
import { sameOriginOnly } from '../host/same-origin.ts';
import { ORGANIZATION_COOKIE, type Caller } from './caller.ts';
import type { OidcSignIn } from './oidc-sign-in.ts';
import type { Organizations } from './organizations.ts';
import { SERVER_API } from './page-paths.ts';

const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

/** `GET /api/v1/ota-server/session` */
export interface SessionView {
  user: { name: string | null; email: string | null };
  /** The current one; `null`: the user has none. */
  organization: { id: string; name: string } | null;
  /** Those that can be chosen, by name. */
  organizations: { id: string; name: string }[];
  /** Of the current organization. */
  is_admin: boolean;
  /** Path to POST to; its answer has the `location` to open next. `null`: the session belongs to the platform. */
  sign_out: string | null;
}

interface RouteParts {
  callerOf(request: Request): Promise<Caller | null>;
  organizations: Organizations;
  /** `null`: there is no sign-in with an OpenID provider. */
  signIn: OidcSignIn | null;
  basePath: string;
  cookie: CookieOptions;
}

const choiceSchema = Joi.object<{ organization_id: string }, true>({
  organization_id: Joi.string().uuid({ separator: '-' }).lowercase().required(),
});

export function adminRoutes(parts: RouteParts): Router {
  const { callerOf, cookie, organizations, signIn } = parts;
  const router = Router()
    .get(`${SERVER_API}/session`, async (request, response) => {
      const caller = await signedIn(request);
      response.set('Cache-Control', 'no-store').json(await viewOf(caller));
    })
    .post(
      `${SERVER_API}/organization`,
      sameOriginOnly,
      express.json({ limit: '4kb' }),
      async (request, response) => {
        const { principal } = await signedIn(request);
        const { organization_id: id } = validated(choiceSchema, request.body);
        const chosen = await organizations.choose(principal, id);
        if (chosen?.id !== id) {
          throw new HostProblem('forbidden', 'You are not a member of this organization.');
        }
        response.cookie(ORGANIZATION_COOKIE, id, { ...cookie, maxAge: YEAR_MS }).sendStatus(204);
      },
    );
  if (!signIn) return router;
  return router
    .get(`${SERVER_API}/sign-in`, (request, response) => signIn.start(request, response))
    .get(`${SERVER_API}/callback`, (request, response) => signIn.finish(request, response))
    .post(`${SERVER_API}/sign-out`, sameOriginOnly, async (request, response) => {
      const location = await signIn.end(request, response);
      response.set('Cache-Control', 'no-store').json({ location });
    });

  async function signedIn(request: Request): Promise<Caller> {
    const caller = await callerOf(request);
    if (!caller) throw new HostProblem('unauthenticated', 'Sign in first.');
    return caller;
  }

  async function viewOf({ principal, organization, credential }: Caller): Promise<SessionView> {
    const own = await organizations.list(principal);
    return {
      user: { name: principal.name, email: principal.email },
      organization: organization && { id: organization.id, name: organization.name },
      organizations: own.map(({ id, name }) => ({ id, name })),
      is_admin: organization?.isAdmin ?? false,
      sign_out: credential === 'page' ? `${parts.basePath}${SERVER_API}/sign-out` : null,
    };
  }
}
