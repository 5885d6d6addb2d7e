/**
 * Keyrings: which keys may sign packages, signed with a root key that is kept offline. A device's
 * configuration names the root keys; everything else can change without touching the device. Pure.
 */
import Joi from 'joi';
import {
  type DocumentKind,
  type Verdict,
  lifetimeFault,
  readStrictly,
  shortText,
  utcTime,
  wholeNumber,
} from './strict-document.ts';
import { type TrustedKey, isRevoked, signatureFault, trustedKeysSchema } from './trusted-keys.ts';

export interface Keyring {
  schema: 1;
  /** Higher with every keyring; a device never imports a lower one. */
  sequence: number;
  /** `null`: for every organization. */
  organization_id: string | null;
  /** All keys; those of earlier keyrings that are left out are no longer trusted. */
  keys: TrustedKey[];
  /** ISO 8601, UTC. */
  issued: string;
  expires: string;
  /** Of the root key. */
  key_id: string;
}

/** How a keyring travels: the exact text and its signature in one JSON file. */
export interface SignedKeyring {
  keyring: string;
  signature: string;
}

/** Path of a keyring in a package. */
export const BUNDLED_KEYRING = 'ota-keyring.json';
export const MAX_KEYRING_BYTES = 256 * 1024;

export const KEYRING: DocumentKind<Keyring> = {
  name: 'keyring',
  signedPrefix: 'ops-center-ota keyring 1\n',
  schema: Joi.object<Keyring>({
    schema: Joi.valid(1).required(),
    sequence: wholeNumber().required(),
    organization_id: shortText().allow(null).required(),
    keys: trustedKeysSchema()
      .has(Joi.object({ revoked: Joi.valid(false) }).unknown(true))
      .messages({ 'array.hasUnknown': 'a keyring needs at least one key that is not revoked' })
      .required(),
    issued: utcTime().required(),
    expires: utcTime().required(),
    key_id: shortText().required(),
  }),
};

const SIGNED_KEYRING = Joi.object<SignedKeyring, true>({
  keyring: Joi.string().max(MAX_KEYRING_BYTES).required(),
  signature: Joi.string().max(1_024).required(),
});

/** A keyring that was verified when it was imported. */
export interface HeldKeyring {
  signed: SignedKeyring;
  keyring: Keyring;
}

/** Reads the file of a signed keyring, without verifying it. */
export function readSignedKeyring(text: string): Verdict<'signed', SignedKeyring> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { refused: 'the keyring’s file is not JSON' };
  }
  const result = SIGNED_KEYRING.validate(value, { abortEarly: false, convert: false });
  return result.error
    ? { refused: `this is not a signed keyring: ${result.error.message}` }
    : { signed: result.value };
}

/**
 * @param organizationId left out: not compared; `null`: none is known
 */
export function verifyKeyring(
  { keyring: text, signature }: SignedKeyring,
  rootKeys: readonly TrustedKey[],
  expected: { organizationId?: string | null; now: Date },
): Verdict<'keyring', Keyring> {
  const read = readStrictly(text, KEYRING);
  if ('refused' in read) return read;
  const keyring = read.value;
  const { organizationId, now } = expected;
  const organization = keyring.organization_id;
  const elsewhere =
    organizationId !== undefined && organization !== null && organization !== organizationId;
  const refused =
    signatureFault(text, signature, keyring.key_id, rootKeys, KEYRING) ??
    (elsewhere ? 'the keyring is for another organization' : null) ??
    lifetimeFault('keyring', keyring, now);
  return refused === null ? { keyring } : { refused };
}

/**
 * Why a device does not import a keyring that {@link verifyKeyring} accepted.
 * @param newest the imported keyring with the highest sequence
 */
export function importFault(next: Keyring, newest: Keyring | null): string | null {
  if (!newest || next.sequence > newest.sequence) return null;
  return `the keyring’s sequence ${next.sequence} is not above ${newest.sequence}, which this device has`;
}

/**
 * The keys a device trusts: those of the keyring in force, or the configured ones as long as there is none. A
 * key that was ever revoked, in the configuration or in any keyring, stays revoked.
 * @param imported every keyring that was ever imported
 */
export function effectiveKeys(
  configured: readonly TrustedKey[],
  inForce: Keyring | null,
  imported: readonly Keyring[],
): TrustedKey[] {
  const known = [...configured, ...imported.flatMap((keyring) => keyring.keys)];
  return (inForce?.keys ?? configured).map((key) => ({
    ...key,
    revoked: isRevoked(key, known),
  }));
}
