/**
 * Whether devices would believe a deployment's manifest, found out before anything is created. The
 * server knows public keys at most; it cannot sign. Pure.
 */
import { DomainError } from '../kernel/errors.ts';
import { type Expectation, checkManifest, verifyManifest } from '../contract/signing/manifest.ts';
import type { TrustedKey } from '../contract/signing/trusted-keys.ts';
import type { DeviceFilters } from '../contract/admin-api.ts';

/** What a deployment promises about its package. */
interface PackageClaim {
  targetVersion: string;
  checksum: string;
  deviceFilters: DeviceFilters;
  manifest: string | null;
  signature: string | null;
}

/**
 * Without keys a manifest is optional, but one that is given has to fit.
 * @throws {DomainError} `signature_refused`, naming the reason and what to do
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
      'the package is not signed, and signature_keys of the plugin ask for it',
      'Give manifest and signature, as ota pack and ota sign make them.',
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
    const trusted = keys.filter((key) => !key.withdrawn).map((key) => key.id);
    const signWith = trusted.length > 0 ? ` with the key ${trusted.join(' or ')}` : '';
    throw rejected(
      verdict.refused,
      `Devices would refuse it as well: make a manifest that fits with ota pack, and sign it${signWith} with ota sign.`,
    );
  }
}

function rejected(why: string, whatToDo: string): DomainError {
  return new DomainError(
    'signature_refused',
    `${why.charAt(0).toUpperCase()}${why.slice(1)}; nothing was created. ${whatToDo}`,
  );
}
