/** Sign-in with the OpenID provider: authorization code with PKCE, state and nonce. */
import type { CookieOptions, Request, Response } from 'express';
import type { JWTPayload } from 'jose';
import type { Logger } from 'pino';
import * as oidc from 'openid-client';

import { HostProblem } from '../host/problem.ts';
import type { OidcSettings, SignInSettings } from './admins.schema.ts';
import { principalOfClaims, type Claims } from './claims.ts';
import { cookieValue } from './cookies.ts';
import type { IdentityProvider } from './identity-provider.ts';
import { pagePath, SERVER_API } from './page-paths.ts';
import type { PageSessions } from './page-sessions.ts';
import type { Principal } from './principal.ts';
import type { SealedCookies } from './sealed-cookie.ts';
import { withoutSecrets } from './throttled-log.ts';

/** How long the provider's form may stay open. */
const ATTEMPT_SECONDS = 15 * 60;

/** The provider failed; all other errors of openid-client mean that this sign-in is not valid. */
const OUTAGES = new Set([
  'OAUTH_TIMEOUT',
  'OAUTH_ABORT',
  'OAUTH_RESPONSE_IS_NOT_JSON',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_PARSE_ERROR',
]);

export interface SignInParts {
  settings: OidcSettings & { sign_in: SignInSettings };
  provider: IdentityProvider;
  sessions: PageSessions;
  sealed: SealedCookies;
  logger: Logger;
  /** Origin and prefix, without a slash at the end. */
  publicUrl: string;
  basePath: string;
  cookie: CookieOptions;
}

export class OidcSignIn {
  readonly #parts: SignInParts;

  constructor(parts: SignInParts) {
    this.#parts = parts;
  }

  /** Sends the browser to the provider. */
  async start(request: Request, response: Response): Promise<void> {
    const { basePath, cookie, provider, sealed, settings } = this.#parts;
    const configuration = await provider.configuration();
    const state = oidc.randomState();
    const nonce = oidc.randomNonce();
    const verifier = oidc.randomPKCECodeVerifier();
    const next = pagePath(request.query['next'], basePath);
    const attempt = await sealed.seal('sign-in', { state, nonce, verifier, next }, ATTEMPT_SECONDS);
    const location = oidc.buildAuthorizationUrl(configuration, {
      response_type: 'code',
      redirect_uri: this.#callbackUrl,
      scope: settings.sign_in.scope,
      state,
      nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    response
      .cookie(attemptCookie(state), attempt, { ...cookie, maxAge: ATTEMPT_SECONDS * 1000 })
      .set('Cache-Control', 'no-store')
      .redirect(303, location.href);
  }

  /** Receives the browser from the provider, and opens the session. */
  async finish(request: Request, response: Response): Promise<void> {
    const { basePath, cookie, logger, sealed, sessions } = this.#parts;
    const { state } = request.query;
    const name = attemptCookie(typeof state === 'string' ? state : '');
    const value = cookieValue(request, name);
    const attempt = value === null ? null : await sealed.open('sign-in', value);
    response.set('Cache-Control', 'no-store').clearCookie(name, cookie);
    if (!attempt) {
      throw new HostProblem(
        'unauthenticated',
        'This sign-in was not started in this browser, or took too long. Open the page again.',
      );
    }
    const principal = await this.#principalOf(request, attempt);
    await sessions.start(response, principal);
    logger.info({ user_id: principal.userId, name: principal.name }, 'Signed in');
    response.redirect(303, basePath + pagePath(attempt['next'], basePath));
  }

  /** Ends the session. Returns where the browser goes to end the provider's, too. */
  async end(request: Request, response: Response): Promise<string> {
    const { basePath, provider, sessions, settings } = this.#parts;
    await sessions.end(request, response);
    const home = basePath + pagePath(undefined, basePath);
    const configuration = await provider.configuration().catch(() => null);
    if (!configuration?.serverMetadata().end_session_endpoint) return home;
    const { post_sign_out_url: returnUrl } = settings.sign_in;
    return oidc.buildEndSessionUrl(
      configuration,
      returnUrl === undefined ? {} : { post_logout_redirect_uri: returnUrl },
    ).href;
  }

  async #principalOf(request: Request, attempt: JWTPayload): Promise<Principal> {
    const { logger, provider, settings } = this.#parts;
    const configuration = await provider.configuration();
    const { search } = new URL(request.originalUrl, 'http://callback.invalid');
    const tokens = await oidc
      .authorizationCodeGrant(configuration, new URL(this.#callbackUrl + search), {
        expectedState: String(attempt['state']),
        expectedNonce: String(attempt['nonce']),
        pkceCodeVerifier: String(attempt['verifier']),
        idTokenExpected: true,
      })
      .catch((error: unknown) => {
        if (isOutage(error)) throw provider.failed(error);
        const { code, error: reason } = error as { code?: unknown; error?: unknown };
        logger.warn({ code, reason }, 'The OpenID provider did not sign a user in');
        throw new HostProblem('unauthenticated', 'The sign-in failed. Open the page to try again.');
      });
    const idToken = tokens.claims();
    if (!idToken) throw new Error('idTokenExpected guarantees an ID token');
    const accessToken = await provider.verifyOwn(tokens.access_token);
    const userInfo = await this.#userInfo(configuration, tokens.access_token, idToken.sub);
    // Keycloak puts roles into access tokens only, and other providers names into the user info only. All have to be
    // about the same user.
    const sources = [idToken, accessToken, userInfo].filter(
      (claims) => claims?.sub === idToken.sub,
    );
    const principal = principalOfClaims(sources as Claims[], settings.claims);
    if (principal) return principal;
    logger.warn({}, 'The tokens of the OpenID provider lack the claim with the user id');
    throw new HostProblem('unauthenticated', 'The OpenID provider did not say who you are.');
  }

  /** `null` if the provider has none for this access token, which may be for another API. */
  async #userInfo(
    configuration: oidc.Configuration,
    accessToken: string,
    userId: string,
  ): Promise<Claims | null> {
    if (!configuration.serverMetadata().userinfo_endpoint) return null;
    try {
      return await oidc.fetchUserInfo(configuration, accessToken, userId);
    } catch (error) {
      this.#parts.logger.debug(withoutSecrets(error), 'The OpenID provider gave no user info');
      return null;
    }
  }

  get #callbackUrl(): string {
    return `${this.#parts.publicUrl}${SERVER_API}/callback`;
  }
}

/** Several tabs may sign in at the same time. */
function attemptCookie(state: string): string {
  return `ota_sign_in_${state.replace(/[^\w-]/g, '').slice(0, 8)}`;
}

function isOutage(error: unknown): boolean {
  const { code, status } = error as { code?: unknown; status?: unknown };
  if (typeof status === 'number' && status >= 500) return true;
  return typeof code === 'string' ? OUTAGES.has(code) : error instanceof TypeError;
}
