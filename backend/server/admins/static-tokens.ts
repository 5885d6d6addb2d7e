import { timingSafeEqual } from 'node:crypto';

import { tokenHash } from '../host/tokens.ts';
import type { StaticTokenSettings } from './admins.schema.ts';
import type { Principal } from './principal.ts';

/**
 * Tokens for pipelines, which only the configuration knows, as hashes.
 *
 * Their user id is no user of the platform, so `ota_deployments.created_by` stays empty on its tables; the plugin keeps
 * the id in the timeline and as the author.
 */
export function createStaticTokens(
  tokens: readonly StaticTokenSettings[],
): (token: string) => Principal | null {
  const known = tokens.map((settings) => ({
    ...settings,
    hash: Buffer.from(settings.sha256, 'hex'),
  }));
  return (token) => {
    const given = tokenHash(token);
    // Compares with all of them, so that the time does not depend on which one matches.
    const [match] = known.filter(({ hash }) => timingSafeEqual(hash, given));
    if (!match || (match.expires_at && match.expires_at.getTime() <= Date.now())) return null;
    return {
      userId: match.user_id ?? `token:${match.name}`,
      name: match.name,
      email: null,
      isAdmin: true,
      isSystemAdmin: false,
      organizationIds: [match.organization_id],
      currentOrganizationId: null,
    };
  };
}
