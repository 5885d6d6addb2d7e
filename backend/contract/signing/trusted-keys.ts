/** Keys that are trusted to sign, and how one of them is looked up. Pure. */
import Joi from 'joi';
import { readPublicKey, signatureFits, signatureFormFault } from './ed25519.ts';
import type { DocumentKind } from './strict-document.ts';

export interface TrustedKey {
  id: string;
  /** Ed25519, PEM or the bare 32 bytes in base64. */
  public_key: string;
  /** Refused from then on, under every id. */
  revoked: boolean;
}

const MAX_KEYS = 100;

/** A list of keys as configurations and keyrings hold it; every key is one that can be relied on. */
export function trustedKeysSchema(): Joi.ArraySchema<TrustedKey[]> {
  const keys: Joi.ArraySchema<TrustedKey[]> = Joi.array<TrustedKey[]>()
    .items(
      Joi.object({
        id: Joi.string().max(200).required(),
        public_key: Joi.string()
          .max(1_024)
          .custom((value: string, helpers) => {
            try {
              readPublicKey(value);
              return value;
            } catch (error) {
              return helpers.error('key.unusable', { why: (error as Error).message });
            }
          })
          .messages({ 'key.unusable': '{{#label}} {{#why}}' })
          .required(),
        revoked: Joi.boolean().default(false),
      }),
    )
    .unique('id')
    .max(MAX_KEYS);
  return keys;
}

/** The bytes of a key that was accepted, for comparison. */
function keyBytes(key: Pick<TrustedKey, 'public_key'>): string {
  return readPublicKey(key.public_key).toString('base64');
}

/** Revoked itself, or the same bytes under another id are. */
export function isRevoked(key: TrustedKey, keys: readonly TrustedKey[]): boolean {
  if (key.revoked) return true;
  const bytes = keyBytes(key);
  return keys.some((other) => other.revoked && keyBytes(other) === bytes);
}

/** Why `signature` does not prove that a trusted key signed this text; `null`: it does. */
export function signatureFault(
  text: string,
  signature: string,
  keyId: string,
  keys: readonly TrustedKey[],
  { name, signedPrefix }: Pick<DocumentKind<unknown>, 'name' | 'signedPrefix'>,
): string | null {
  const called = JSON.stringify(keyId);
  const key = keys.find((one) => one.id === keyId);
  if (!key) return `the ${name} is signed with the unknown key ${called}`;
  if (isRevoked(key, keys)) return `the ${name} is signed with the revoked key ${called}`;
  const fault = signatureFormFault(signature);
  if (fault) return fault;
  const fits = signatureFits(signedPrefix + text, signature, readPublicKey(key.public_key));
  return fits ? null : `the signature does not fit the ${name}`;
}
