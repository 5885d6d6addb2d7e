/** Manifests: what a package is, who it is for, and who says so. Pure. */
import Joi from 'joi';
import { signatureFormFault } from './ed25519.ts';
import {
  type DocumentKind,
  type Verdict,
  lifetimeFault,
  readStrictly,
  shortText,
  utcTime,
  wholeNumber,
} from './strict-document.ts';
import { type TrustedKey, signatureFault } from './trusted-keys.ts';

export interface Manifest {
  schema: 1;
  name: string;
  version: string;
  /** Goes up with every release; a device never goes below what it had. */
  sequence: number;
  device_types: string[];
  /** `null`: for every organization. */
  organization_id: string | null;
  /** 64 hex digits, lower case. */
  sha256: string;
  /** Bytes of the package file. */
  size: number;
  /** Bytes of all files in it together. */
  unpacked_size: number;
  file_count: number;
  /** ISO 8601, UTC. */
  issued: string;
  expires: string;
  key_id: string;
}

/** The prefix changes with the schema, never otherwise. */
export const MANIFEST: DocumentKind<Manifest> = {
  name: 'manifest',
  signedPrefix: 'ops-center-ota manifest 1\n',
  schema: Joi.object<Manifest>({
    schema: Joi.valid(1).required(),
    name: shortText().required(),
    version: shortText().required(),
    sequence: wholeNumber().required(),
    device_types: Joi.array().items(shortText()).min(1).max(1_000).unique().required(),
    organization_id: shortText().allow(null).required(),
    sha256: Joi.string()
      .pattern(/^[0-9a-f]{64}$/, '64 hex digits')
      .required(),
    size: wholeNumber().required(),
    unpacked_size: wholeNumber().required(),
    file_count: wholeNumber().required(),
    issued: utcTime().required(),
    expires: utcTime().required(),
    key_id: shortText().required(),
  }),
};

/** What the manifest has to fit; what is left out is not compared. */
export interface Expectation {
  version?: string;
  /** 64 hex digits, lower case. */
  sha256?: string;
  deviceType?: string;
  /** `null`: none is known, so that a package for one organization does not fit. */
  organizationId?: string | null;
  /** Highest sequence installed so far. */
  installedSequence?: number | null;
  now: Date;
}

/** The manifest if a trusted key signed exactly this text and it fits, or why it is refused. */
export function verifyManifest(
  text: string,
  signature: string,
  keys: readonly TrustedKey[],
  expected: Expectation,
): Verdict<'manifest', Manifest> {
  const read = readStrictly(text, MANIFEST);
  if ('refused' in read) return read;
  const manifest = read.value;
  const refused =
    signatureFault(text, signature, manifest.key_id, keys, MANIFEST) ?? misfit(manifest, expected);
  return refused === null ? { manifest } : { refused };
}

/** The same without the proof of who signed: for whom no keys are known. */
export function checkManifest(
  text: string,
  signature: string,
  expected: Expectation,
): Verdict<'manifest', Manifest> {
  const read = readStrictly(text, MANIFEST);
  if ('refused' in read) return read;
  const refused = signatureFormFault(signature) ?? misfit(read.value, expected);
  return refused === null ? { manifest: read.value } : { refused };
}

/** The name of the package; `null`: the text is no manifest. It is not checked who signed it. */
export function packageNameOf(text: string): string | null {
  const read = readStrictly(text, MANIFEST);
  return 'refused' in read ? null : read.value.name;
}

function misfit(manifest: Manifest, expected: Expectation): string | null {
  const { version, sha256, deviceType, organizationId, installedSequence, now } = expected;
  if (version !== undefined && manifest.version !== version) {
    return `the manifest is for version ${manifest.version}, the deployment for ${version}`;
  }
  if (sha256 !== undefined && manifest.sha256 !== sha256) {
    return `the manifest is for another package: its SHA-256 is ${manifest.sha256}, the deployment’s ${sha256}`;
  }
  if (deviceType !== undefined && !manifest.device_types.includes(deviceType)) {
    return `the package is for the device types ${manifest.device_types.join(', ')} and not for ${deviceType}`;
  }
  const { organization_id: organization, sequence } = manifest;
  if (organizationId !== undefined && organization !== null && organization !== organizationId) {
    return 'the package is for another organization';
  }
  if (sequence < (installedSequence ?? 0)) {
    return `the package’s sequence ${sequence} is older than ${installedSequence}, which was installed`;
  }
  return lifetimeFault('manifest', manifest, now);
}
