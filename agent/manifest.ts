/**
 * Signed manifests: who made a package, and what for. Pure. The signature (Ed25519) is over a fixed
 * prefix and the manifest's exact bytes, so that a signature made for something else never fits.
 */
import { type KeyObject, createPublicKey, verify } from 'node:crypto';
import Joi from 'joi';

/** Changes with the schema, never otherwise. */
export const SIGNED_PREFIX = 'ops-center-ota manifest 1\n';
const SIGNATURE_BYTES = 64;
/** What stands before the 32 bytes of an Ed25519 key in its DER form (RFC 8410). */
const ED25519_DER_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

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
  /** ISO 8601. */
  issued: string;
  expires: string;
  key_id: string;
}

export interface TrustedKey {
  id: string;
  public_key: string;
  withdrawn: boolean;
}

/** What the manifest has to fit. */
export interface Expectation {
  version: string;
  sha256: string;
  deviceType: string;
  organizationId: string | null;
  /** Highest sequence installed so far. */
  installedSequence: number | null;
  now: Date;
}

const size = Joi.number().integer().min(0).max(Number.MAX_SAFE_INTEGER).required();
const text = Joi.string().max(200).required();
const time = Joi.string().isoDate().required();

const manifestSchema = Joi.object({
  schema: Joi.valid(1).required(),
  name: text,
  version: text,
  sequence: size,
  device_types: Joi.array().items(Joi.string().max(200)).min(1).required(),
  organization_id: Joi.string().max(200).allow(null).required(),
  sha256: Joi.string()
    .pattern(/^[0-9a-f]{64}$/, '64 hex digits')
    .required(),
  size,
  unpacked_size: size,
  file_count: size,
  issued: time,
  expires: time,
  key_id: text,
});

/**
 * @returns the manifest, or why it is refused
 */
export function verifyManifest(
  manifestText: string,
  signature: string,
  keys: readonly TrustedKey[],
  expected: Expectation,
): { manifest: Manifest } | { refused: string } {
  const parsed = parseStrictly(manifestText);
  if ('refused' in parsed) return parsed;
  const { manifest } = parsed;
  const refused =
    signatureFault(manifestText, signature, manifest.key_id, keys) ?? misfit(manifest, expected);
  return refused === null ? { manifest } : { refused };
}

/**
 * @param value PEM, or the bare 32 bytes in base64
 * @throws Error when it is no Ed25519 public key
 */
export function readPublicKey(value: string): KeyObject {
  const raw = Buffer.from(value.trim(), 'base64');
  const bare = raw.length === 32 && raw.toString('base64') === value.trim();
  const key = bare
    ? createPublicKey({
        key: Buffer.concat([ED25519_DER_PREFIX, raw]),
        format: 'der',
        type: 'spki',
      })
    : createPublicKey(value);
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('is not an Ed25519 public key');
  return key;
}

/**
 * Two readers of one text must not read two things: the text has to be exactly what writing the
 * parsed value gives again, which no duplicate key and no odd number survives.
 */
function parseStrictly(manifestText: string): { manifest: Manifest } | { refused: string } {
  let value: unknown;
  try {
    value = JSON.parse(manifestText);
  } catch {
    return { refused: 'the manifest is not JSON' };
  }
  if (JSON.stringify(value) !== manifestText) {
    return {
      refused:
        'the manifest is not compact JSON, each key once (as JSON.stringify or jq -c write it)',
    };
  }
  const result = manifestSchema.validate(value, { abortEarly: false, convert: false });
  if (result.error) return { refused: `the manifest has faults: ${result.error.message}` };
  return { manifest: result.value as Manifest };
}

function signatureFault(
  manifestText: string,
  signature: string,
  keyId: string,
  keys: readonly TrustedKey[],
): string | null {
  const key = keys.find((one) => one.id === keyId);
  if (!key) return `the manifest is signed with the unknown key ${JSON.stringify(keyId)}`;
  if (key.withdrawn)
    return `the manifest is signed with the withdrawn key ${JSON.stringify(keyId)}`;
  const bytes = Buffer.from(signature, 'base64');
  const signed = Buffer.from(SIGNED_PREFIX + manifestText, 'utf8');
  const valid =
    bytes.length === SIGNATURE_BYTES && verify(null, signed, readPublicKey(key.public_key), bytes);
  return valid ? null : 'the signature does not fit the manifest';
}

function misfit(manifest: Manifest, expected: Expectation): string | null {
  const { installedSequence, organizationId } = expected;
  if (manifest.version !== expected.version) {
    return `the manifest is for version ${manifest.version}, the deployment for ${expected.version}`;
  }
  if (manifest.sha256 !== expected.sha256) {
    return 'the manifest is for another package than the deployment’s';
  }
  if (!manifest.device_types.includes(expected.deviceType)) {
    return `the package is for ${manifest.device_types.join(', ')}, this device is ${expected.deviceType}`;
  }
  if (manifest.organization_id !== null && manifest.organization_id !== organizationId) {
    return 'the package is for another organization';
  }
  if (Date.parse(manifest.expires) <= expected.now.getTime()) {
    return `the manifest expired at ${manifest.expires}`;
  }
  if (installedSequence !== null && manifest.sequence < installedSequence) {
    return `the package's sequence ${manifest.sequence} is older than ${installedSequence}, which was installed`;
  }
  return null;
}
