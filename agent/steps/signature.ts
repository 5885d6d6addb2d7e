/** Whether somebody the device trusts has signed the package. */
import { type AgentParts, readSequence } from '../agent-parts.ts';
import { StepFailure } from '../errors.ts';
import type { ActiveUpdate } from '../state/journal.ts';
import { type Manifest, verifyManifest } from '../manifest.ts';

/**
 * @returns the verified manifest; `null` when no keys are configured
 * @throws {StepFailure} when keys are configured and the package is not properly signed for this device
 */
export async function requireSigned(
  { config, organizationId }: AgentParts,
  work: ActiveUpdate,
): Promise<Manifest | null> {
  const { keys, device_type: deviceType } = config.signatures;
  if (keys.length === 0) return null;
  if (work.manifest === null || work.signature === null) {
    throw new StepFailure(
      'Refused: the package is not signed, and this device takes signed ones only.',
    );
  }
  const verdict = verifyManifest(work.manifest, work.signature, keys, {
    version: work.target_version,
    sha256: work.checksum,
    deviceType: deviceType ?? '',
    organizationId,
    installedSequence: await readSequence(config),
    now: new Date(),
  });
  if ('refused' in verdict) throw new StepFailure(`Refused: ${verdict.refused}.`);
  return verdict.manifest;
}
