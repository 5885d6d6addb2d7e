/** The OpenID provider: its discovered configuration, and the tokens it signed. */
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload } from 'jose';
import * as oidc from 'openid-client';

import { HostProblem } from '../host/problem.ts';
import type { OidcSettings } from './admins.schema.ts';
import { isConfidential } from './private-url.ts';
import { type ThrottledLog, withoutSecrets } from './throttled-log.ts';

const TIMEOUT_SECONDS = 5;
/** Clocks of the provider and of this machine differ a little. */
const CLOCK_TOLERANCE_SECONDS = 10;

/** Types of access tokens in their header (RFC 9068). Without one or with `JWT`, the claims decide. */
const ACCESS_TOKEN_TYPES = new Set([undefined, 'jwt', 'at+jwt', 'application/at+jwt']);

/** Errors of jose that mean the token is not valid. All others mean that it could not be checked. */
const INVALID_TOKEN = [
  ...[errors.JWTExpired, errors.JWTClaimValidationFailed, errors.JWTInvalid, errors.JWSInvalid],
  ...[errors.JWSSignatureVerificationFailed, errors.JOSEAlgNotAllowed, errors.JOSENotSupported],
  ...[errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys],
];

interface Provider {
  configuration: oidc.Configuration;
  keys: ReturnType<typeof createRemoteJWKSet>;
}

export class IdentityProvider {
  readonly #settings: OidcSettings;
  readonly #log: ThrottledLog;
  #provider: Promise<Provider> | undefined;

  constructor(settings: OidcSettings, log: ThrottledLog) {
    this.#settings = settings;
    this.#log = log;
  }

  /**
   * The claims of a bearer token; `null` if it is not valid.
   *
   * @throws {HostProblem} `unavailable` if the provider's keys cannot be loaded
   */
  async verifyBearer(token: string): Promise<JWTPayload | null> {
    const { audience } = this.#settings;
    return audience === undefined ? null : this.#verify(token, audience);
  }

  /** The claims of an access token that came from the provider itself, whatever API it is for; `null` if it is no JWT. */
  verifyOwn(token: string): Promise<JWTPayload | null> {
    return this.#verify(token, undefined);
  }

  /** @throws {HostProblem} `unavailable` if the provider does not respond or is not the configured one */
  async configuration(): Promise<oidc.Configuration> {
    return (await this.#discovered()).configuration;
  }

  /** The problem to answer with when the provider failed; logs the reason. */
  failed(error: unknown): HostProblem {
    this.#log.warn(
      { issuer: this.#settings.issuer, ...withoutSecrets(error) },
      'The OpenID provider does not respond as expected',
    );
    return new HostProblem('unavailable', 'The OpenID provider does not respond as expected.');
  }

  async #verify(token: string, audience: string | undefined): Promise<JWTPayload | null> {
    const { algorithms } = this.#settings;
    // Opaque tokens are not worth a request to the provider.
    if (token.split('.').length !== 3) return null;
    const { configuration, keys } = await this.#discovered();
    try {
      const { payload, protectedHeader } = await jwtVerify(token, keys, {
        // As the provider spells it: with or without a slash at the end.
        issuer: configuration.serverMetadata().issuer,
        algorithms,
        ...(audience === undefined ? {} : { audience }),
        requiredClaims: ['exp', 'sub'],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
      });
      return isAccessToken(protectedHeader.typ, payload) ? payload : null;
    } catch (error) {
      if (INVALID_TOKEN.some((kind) => error instanceof kind)) return null;
      throw this.failed(error);
    }
  }

  async #discovered(): Promise<Provider> {
    const pending = (this.#provider ??= discover(this.#settings));
    try {
      return await pending;
    } catch (error) {
      // The next request tries again.
      if (this.#provider === pending) this.#provider = undefined;
      throw this.failed(error);
    }
  }
}

async function discover({ issuer, sign_in: client }: OidcSettings): Promise<Provider> {
  const server = new URL(issuer);
  const configuration = await oidc.discovery(
    server,
    client?.client_id ?? 'ota-server',
    {},
    client?.client_secret === undefined
      ? oidc.None()
      : oidc.ClientSecretBasic(client.client_secret),
    {
      timeout: TIMEOUT_SECONDS,
      execute: [
        // ID tokens come straight from the provider, but within a private network maybe without TLS.
        oidc.enableNonRepudiationChecks,
        // The schema of the settings allows plain HTTP in private networks only.
        ...(server.protocol === 'http:' ? [oidc.allowInsecureRequests] : []),
      ],
    },
  );
  const { jwks_uri: keysUrl } = configuration.serverMetadata();
  if (keysUrl === undefined || !isConfidential(new URL(keysUrl))) {
    throw new Error('its discovery document has no usable jwks_uri');
  }
  const keys = createRemoteJWKSet(new URL(keysUrl), { timeoutDuration: TIMEOUT_SECONDS * 1000 });
  return { configuration, keys };
}

/** ID tokens and refresh tokens are signed with the same keys, and Keycloak names them in the claim `typ`. */
function isAccessToken(headerType: string | undefined, payload: JWTPayload): boolean {
  const isOtherType = payload['typ'] !== undefined && payload['typ'] !== 'Bearer';
  return (
    ACCESS_TOKEN_TYPES.has(headerType?.toLowerCase()) && !isOtherType && !('at_hash' in payload)
  );
}
