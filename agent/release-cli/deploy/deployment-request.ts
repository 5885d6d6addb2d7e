/** The request that creates a deployment, from the files of a release. Pure. */
import { UsageError, messageOf } from '../../kernel/errors.ts';
import type { CreateDeploymentRequest } from '../../../backend/contract/admin-api.ts';
import { MANIFEST } from '../../../backend/contract/signing/manifest.ts';
import { readStrictly } from '../../../backend/contract/signing/strict-document.ts';
import { parseJsonText } from '../../kernel/json-text.ts';
import { EXIT } from '../exit-codes.ts';

export interface DeploymentFiles {
  /** JSON with the fields of `POST /deployments`. */
  deployment: string;
  manifest: string | undefined;
  signature: string | undefined;
  packageUrl: string | undefined;
  /** `undefined`: as in the deployment. */
  skipUpToDate: boolean | undefined;
}

/**
 * The deployment with manifest and signature. Version, checksum and name are taken from the manifest unless the
 * deployment has its own. The server checks all of it.
 * @throws {UsageError}
 */
export function deploymentRequest(files: DeploymentFiles): CreateDeploymentRequest {
  let given: unknown;
  try {
    given = parseJsonText(files.deployment);
  } catch (error) {
    throw new UsageError(`The deployment is not JSON: ${messageOf(error)}`, EXIT.usage);
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new UsageError('The deployment must be a JSON object.', EXIT.usage);
  }
  return {
    ...(files.manifest === undefined ? {} : fromManifest(files.manifest)),
    ...given,
    ...(files.manifest !== undefined && { manifest: files.manifest }),
    ...(files.signature !== undefined && { signature: files.signature }),
    ...(files.packageUrl !== undefined && { update_package_url: files.packageUrl }),
    ...(files.skipUpToDate !== undefined && { skip_up_to_date: files.skipUpToDate }),
  } as CreateDeploymentRequest;
}

function fromManifest(text: string): Partial<CreateDeploymentRequest> {
  const read = readStrictly(text, MANIFEST);
  if ('refused' in read) throw new UsageError(`Refused: ${read.refused}.`, EXIT.refused);
  const { name, version, sha256 } = read.value;
  return {
    deployment_name: `${name} ${version}`,
    target_version: version,
    checksum: `sha256:${sha256}`,
  };
}
