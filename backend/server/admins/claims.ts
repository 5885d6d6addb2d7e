/** Maps the claims of a token to a user. */
import type { ClaimPath, ClaimSettings } from './admins.schema.ts';
import { isUuid, shortText, type Principal } from './principal.ts';

export type Claims = Readonly<Record<string, unknown>>;

/**
 * @param tokens the claims of one token, or of several: the first that has a claim counts
 * @returns `null` if no token names a user
 */
export function principalOfClaims(
  tokens: readonly Claims[],
  settings: ClaimSettings,
): Principal | null {
  const userId = shortText(claimIn(tokens, settings.user_id));
  if (userId === null) return null;
  const email = shortText(claimIn(tokens, settings.email));
  const roles = texts(claimIn(tokens, settings.admin));
  const isSystemAdmin = roles.some((role) => settings.system_admin_values.includes(role));
  return {
    userId,
    name: shortText(claimIn(tokens, settings.name)) ?? email,
    email,
    isAdmin: isSystemAdmin || roles.some((role) => settings.admin_values.includes(role)),
    isSystemAdmin,
    organizationIds: organizationsOf(tokens, settings, isSystemAdmin),
    currentOrganizationId: null,
  };
}

function organizationsOf(
  tokens: readonly Claims[],
  { organization }: ClaimSettings,
  isSystemAdmin: boolean,
): string[] | null {
  if (organization === undefined || isSystemAdmin) return null;
  return texts(claimIn(tokens, organization)).filter(isUuid);
}

function claimIn(tokens: readonly Claims[], path: ClaimPath): unknown {
  return tokens.map((claims) => claimAt(claims, path)).find((claim) => claim !== undefined);
}

/** A claim with the whole name counts first: names such as `https://example.com/roles` contain dots. */
function claimAt(claims: Claims, path: ClaimPath): unknown {
  if (typeof path === 'string' && Object.hasOwn(claims, path)) return claims[path];
  const steps = typeof path === 'string' ? path.split('.') : path;
  return steps.reduce<unknown>(
    (value, step) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, step)
        ? (value as Claims)[step]
        : undefined,
    claims,
  );
}

/** A text, a list of texts, or a boolean as `true` and `false`. */
function texts(claim: unknown): string[] {
  return [claim]
    .flat()
    .filter((value) => typeof value === 'string' || typeof value === 'boolean')
    .map(String);
}
