/** The section `admins` of the settings: who is an admin. Secrets are plain values here. */
import Joi from 'joi';

import { isConfidential } from './private-url.ts';

export interface AdminsSettings {
  platform?: PlatformSettings;
  oidc?: OidcSettings;
  tokens?: StaticTokenSettings[];
}

/** Sessions of Ops-Center itself, from its Redis or from its `/api/v1/auth/me`. */
export interface PlatformSettings {
  cookie: string;
  redis?: { url: string; database?: number; key_prefix: string };
  auth_me?: { url: string; timeout_ms: number };
  /** Roles of the session that make a user an admin of the organizations they are a member of. */
  admin_roles: string[];
  /** Roles of the session that make a user an admin of every organization. */
  system_admin_roles: string[];
  /** Where people sign in. `{next}` stands for the path to return to. */
  sign_in_url: string;
}

export interface OidcSettings {
  issuer: string;
  /** The `aud` that access tokens must have; without it, bearer tokens of the provider are rejected. */
  audience?: string;
  /** Algorithms of signatures that are accepted. */
  algorithms: string[];
  claims: ClaimSettings;
  /** Missing: bearer tokens only, no sign-in for the page. */
  sign_in?: SignInSettings;
}

/** The name of a claim, a path with dots such as `realm_access.roles`, or the steps of a path as a list. */
export type ClaimPath = string | string[];

export interface ClaimSettings {
  user_id: ClaimPath;
  name: ClaimPath;
  email: ClaimPath;
  /** Holds the UUID of the organization, or a list of them. Missing: the platform's memberships decide. */
  organization?: ClaimPath;
  admin: ClaimPath;
  /** Values of the claim `admin` that make a user an admin. */
  admin_values: string[];
  /** Values of the claim `admin` that make a user an admin of every organization. */
  system_admin_values: string[];
}

export interface SignInSettings {
  client_id: string;
  /** Missing: a public client, which PKCE protects. */
  client_secret?: string;
  scope: string;
  /** Encrypts the session cookie. All api processes need the same. */
  session_secret: string;
  session_hours: number;
  /** Where the provider sends the browser after sign-out; has to be registered there. */
  post_sign_out_url?: string;
}

/** A token for a pipeline. */
export interface StaticTokenSettings {
  name: string;
  /** Of the token, in hex. */
  sha256: string;
  organization_id: string;
  /** Stored as the author of deployments; default `token:<name>`. */
  user_id?: string;
  expires_at?: Date;
}

/** Asymmetric only: with HS256, whoever knows the public key could sign tokens. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

/** Shorter secrets could be guessed. */
const MIN_SECRET = 32;

const text = (): Joi.StringSchema => Joi.string().min(1).max(255);
const uuid = (): Joi.StringSchema => Joi.string().uuid({ separator: '-' }).lowercase();
const roles = (): Joi.ArraySchema<string[]> => Joi.array().items(text()).unique();

function confidentialUrl(): Joi.StringSchema {
  return Joi.string()
    .uri({ scheme: ['https', 'http'] })
    .custom((value: string, helpers) => {
      // The rule of the address has its own message.
      if (!/^https?:/i.test(value) || !URL.canParse(value)) return value;
      const url = new URL(value);
      if (url.username !== '' || url.password !== '') return helpers.error('url.credentials');
      return isConfidential(url) ? value : helpers.error('url.confidential');
    })
    .messages({
      'url.confidential': '{{#label}} must use https, or http to a host of a private network',
      'url.credentials': '{{#label}} must not contain a user name or password',
    });
}

function claimPath(): Joi.AlternativesSchema {
  return Joi.alternatives(text(), Joi.array().items(text().required()).max(10));
}

const platformSchema = Joi.object<PlatformSettings>({
  cookie: Joi.string()
    .pattern(/^[\w.-]{1,64}$/, 'letters, digits, dots, hyphens and underscores')
    .default('session_token'),
  redis: Joi.object({
    url: Joi.string()
      .uri({ scheme: ['redis', 'rediss'] })
      .required(),
    database: Joi.number().integer().min(0).max(1_000_000),
    key_prefix: Joi.string().allow('').max(255).default('session:'),
  }),
  auth_me: Joi.object({
    url: confidentialUrl().required(),
    timeout_ms: Joi.number().integer().min(1).max(30_000).default(2_000),
  }),
  admin_roles: roles().default(['admin', 'system_admin']),
  system_admin_roles: roles().default(['system_admin']),
  sign_in_url: Joi.string()
    .pattern(/^(?:\/(?![/\\])|https?:\/\/)\S*$/, 'a path or an http(s) address')
    .default('/login'),
}).xor('redis', 'auth_me');

const claimsSchema = Joi.object<ClaimSettings>({
  user_id: claimPath().default('sub'),
  name: claimPath().default('name'),
  email: claimPath().default('email'),
  organization: claimPath(),
  admin: claimPath().required(),
  admin_values: roles().min(1).required(),
  system_admin_values: roles().default([]),
});

const signInSchema = Joi.object<SignInSettings>({
  client_id: text().required(),
  client_secret: Joi.string().min(1).max(4_096),
  scope: Joi.string()
    .pattern(/(?:^| )openid(?: |$)/, 'a list of scopes with openid')
    .default('openid profile email'),
  session_secret: Joi.string().min(MIN_SECRET).max(4_096).required(),
  session_hours: Joi.number()
    .positive()
    .max(24 * 7)
    .default(8),
  post_sign_out_url: Joi.string().uri({ scheme: ['https', 'http'] }),
});

const oidcSchema = Joi.object<OidcSettings>({
  issuer: confidentialUrl().required(),
  audience: text(),
  algorithms: Joi.array()
    .items(Joi.string().valid(...ALGORITHMS))
    .min(1)
    .unique()
    .default(ALGORITHMS),
  claims: claimsSchema.required(),
  sign_in: signInSchema,
}).or('audience', 'sign_in');

const staticTokenSchema = Joi.object<StaticTokenSettings>({
  name: Joi.string()
    .pattern(/^[\w.@-]{1,100}$/, 'letters, digits and . _ @ -')
    .required(),
  sha256: Joi.string().hex().length(64).lowercase().required(),
  organization_id: uuid().required(),
  user_id: text(),
  expires_at: Joi.date().iso(),
});

/** Validate with `abortEarly: false`, so that every fault is named at once. */
export const adminsSchema = Joi.object<AdminsSettings>({
  platform: platformSchema,
  oidc: oidcSchema,
  tokens: Joi.array()
    .items(staticTokenSchema)
    .min(1)
    .unique((a: StaticTokenSettings, b: StaticTokenSettings) => a.name === b.name)
    .unique((a: StaticTokenSettings, b: StaticTokenSettings) => a.sha256 === b.sha256)
    .messages({ 'array.unique': '{{#label}} has the name or the hash of another token' }),
}).or('platform', 'oidc', 'tokens');
