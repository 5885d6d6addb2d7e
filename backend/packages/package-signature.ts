/**
 * Checks the manifest of a deployment as devices will check it, before the deployment is created. The server has public
 * keys only, so it cannot sign.
 */
import { DomainError } from '../kernel/errors.ts';
import { type Expectation, checkManifest, verifyManifest } from '../contract/signing/manifest.ts';
import type { TrustedKey } from '../contract/signing/trusted-keys.ts';
import type { DeviceFilters } from '../contract/admin-api.ts';

/** What a deployment states about its package. */
interface PackageClaim {
  targetVersion: string;
  checksum: string;
  deviceFilters: DeviceFilters;
  manifest: string | null;
  signature: string | null;
}

/**
 * Requires a valid signature by one of the keys. Without keys, a manifest is optional, but its content must match.
 *
 * @throws {DomainError} `signature_refused` with the reason and what to do
 */
export function requireSignedPackage(
  claim: PackageClaim,
  organizationId: string,
  keys: readonly TrustedKey[],
  now: Date,
): void {
  const { manifest, signature } = claim;
  if (manifest === null || signature === null) {
    if (keys.length === 0) return;
    throw rejected(
      'the package is not signed, but the plugin has signature_keys',
      'Send the manifest and signature that ota pack and ota sign create.',
    );
  }
  const expected: Expectation = {
    version: claim.targetVersion,
    sha256: claim.checksum.replace(/^sha256:/i, '').toLowerCase(),
    organizationId,
    ...(claim.deviceFilters.device_type && { deviceType: claim.deviceFilters.device_type }),
    now,
  };
  const verdict =
    keys.length === 0
      ? checkManifest(manifest, signature, expected)
      : verifyManifest(manifest, signature, keys, expected);
  if ('refused' in verdict) {
    const trusted = keys.filter((key) => !key.revoked).map((key) => key.id);
    const signWith = trusted.length > 0 ? ` with the key ${trusted.join(' or ')}` : '';
    throw rejected(
      verdict.refused,
      `Devices would reject it, too. Create a matching manifest with ota pack, and sign it${signWith} with ota sign.`,
    );
  }
}

function rejected(why: string, whatToDo: string): DomainError {
  return new DomainError(
    'signature_refused',
    `${why.charAt(0).toUpperCase()}${why.slice(1)}; nothing was created. ${whatToDo}`,
  );
}
