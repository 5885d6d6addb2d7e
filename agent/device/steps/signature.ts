/** Verifies that the package is signed with a key the device trusts. */
import { type Manifest, verifyManifest } from '../../../backend/contract/signing/manifest.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { readSequenceOf } from '../state/components.ts';
import { StepFailure } from '../../kernel/errors.ts';
import { importKeyringOfPackage, trustedKeys } from '../state/keyring-store.ts';
import type { ActiveUpdate } from '../state/journal.ts';

/**
 * @returns the verified manifest; `null` when no keys are configured
 * @throws {StepFailure} when keys are configured and the package is not properly signed for this device
 */
export async function requireSigned(
  config: AgentConfig,
  organizationId: string | null,
  work: ActiveUpdate,
): Promise<Manifest | null> {
  const { keys, root_keys: rootKeys, device_type: deviceType } = config.signatures;
  if (keys.length === 0 && rootKeys.length === 0) return null;
  if (work.manifest === null || work.signature === null) {
    throw new StepFailure(
      'Refused: the package is not signed, and this device accepts signed packages only.',
      'verification',
    );
  }
  const trusted = await trustedKeys(config, organizationId);
  const verdict = verifyManifest(work.manifest, work.signature, trusted, {
    version: work.target_version,
    sha256: work.checksum,
    deviceType: deviceType ?? '',
    organizationId,
    installedSequence: await readSequenceOf(config, work.component),
    now: new Date(),
  });
  if ('refused' in verdict) throw new StepFailure(`Refused: ${verdict.refused}.`, 'verification');
  return verdict.manifest;
}

/**
 * Imports a keyring that the unpacked package contains. When that changes the trusted keys, the signature is
 * verified once more: an interrupted update verifies it again after its restart, and must not end
 * differently from one that was not interrupted.
 * @throws {StepFailure}
 */
export async function importBundledKeyring(
  config: AgentConfig,
  organizationId: string | null,
  work: ActiveUpdate,
  unpacked: string,
): Promise<void> {
  const changed = await importKeyringOfPackage(config, organizationId, unpacked);
  if (changed) await requireSigned(config, organizationId, work);
}
