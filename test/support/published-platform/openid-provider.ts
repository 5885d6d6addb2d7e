/** A real OpenID provider, whose user signs in without a form. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { exportJWK, generateKeyPair, SignJWT, type JWK, type JWTHeaderParameters } from 'jose';
import { Provider } from 'oidc-provider';

export const CLIENT_ID = 'ota';
export const CLIENT_SECRET = 'secret-of-the-client';
export const AUDIENCE = 'urn:ota';

export interface OpenIdProvider {
  issuer: string;
  publicKey: JWK;
  /** Who signs in next, with the claims about them; `null`: the user cancels. */
  user: { id: string; claims: Record<string, unknown> } | null;
  /** Signs a token with the provider's key, by default a valid access token. */
  token(claims: Record<string, unknown>, header?: Partial<JWTHeaderParameters>): Promise<string>;
  /** From now on, every request is answered with 500. */
  fail(isFailing: boolean): void;
  close(): Promise<void>;
}

export interface OpenIdProviderOptions {
  /** Redirect addresses of the client; more than one if several servers use the provider. */
  redirectUris: string[];
  /** `jwt`: access tokens are JWTs and carry the claims; `opaque`: only the user info does. */
  accessTokens: 'jwt' | 'opaque';
}

export async function startOpenIdProvider(options: OpenIdProviderOptions): Promise<OpenIdProvider> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const key = { kid: 'key-1', alg: 'RS256', use: 'sig' };
  let isFailing = false;
  const running: OpenIdProvider = {
    issuer,
    publicKey: { ...(await exportJWK(publicKey)), ...key },
    user: null,
    token: (claims, header = {}) =>
      new SignJWT({ iss: issuer, aud: AUDIENCE, exp: nowSeconds() + 300, ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: key.kid, ...header })
        .sign(privateKey),
    fail: (failing) => void (isFailing = failing),
    close: () => closeServer(server),
  };
  const provider = configured(running, options, { ...(await exportJWK(privateKey)), ...key });
  const handle = provider.callback();
  server.on('request', (request, response) => {
    if (isFailing) response.writeHead(500).end();
    else if (request.url?.startsWith('/interaction/')) {
      const { user } = running;
      const result = user ? { login: { accountId: user.id } } : { error: 'access_denied' };
      void provider.interactionFinished(request, response, result);
    } else void handle(request, response);
  });
  return running;
}

function configured(
  running: OpenIdProvider,
  { redirectUris, accessTokens }: OpenIdProviderOptions,
  privateKey: JWK,
): Provider {
  return new Provider(running.issuer, {
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: CLIENT_SECRET,
        redirect_uris: redirectUris,
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    jwks: { keys: [privateKey as never] },
    cookies: { keys: ['a key for cookies in tests'] },
    claims: {
      openid: ['sub', 'realm_access', 'organization'],
      profile: ['name'],
      email: ['email'],
    },
    pkce: { required: () => true },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: true },
      ...(accessTokens === 'jwt' && {
        resourceIndicators: {
          enabled: true,
          defaultResource: () => AUDIENCE,
          useGrantedResource: () => true,
          getResourceServerInfo: () => ({
            scope: 'openid',
            audience: AUDIENCE,
            accessTokenFormat: 'jwt' as const,
            jwt: { sign: { alg: 'RS256' as const } },
          }),
        },
      }),
    },
    ttl: {
      AccessToken: 300,
      AuthorizationCode: 60,
      IdToken: 300,
      Interaction: 60,
      Session: 300,
      Grant: 300,
    },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...running.user?.claims }),
    }),
    extraTokenClaims: () => running.user?.claims,
    /** Consents to everything, so that the user only signs in. */
    async loadExistingGrant({ oidc }) {
      const { client, session, provider } = oidc;
      if (!client || !session?.accountId) return undefined;
      const earlier = session.grantIdFor(client.clientId);
      if (earlier) return provider.Grant.find(earlier);
      const grant = new provider.Grant();
      grant.clientId = client.clientId;
      grant.accountId = session.accountId;
      grant.addOIDCScope('openid profile email');
      grant.addResourceScope(AUDIENCE, 'openid');
      await grant.save();
      return grant;
    },
  });
}

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}
