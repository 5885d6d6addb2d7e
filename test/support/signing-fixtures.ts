/** Valid and invalid manifests and keyrings, signed with Node's Ed25519. */
import { generateKeyPairSync, sign, type KeyPairKeyObjectResult } from 'node:crypto';

import {
  KEYRING,
  type Keyring,
  type SignedKeyring,
} from '../../backend/contract/signing/keyring.ts';
import { MANIFEST, type Manifest } from '../../backend/contract/signing/manifest.ts';

export const newKeyPair = (): KeyPairKeyObjectResult => generateKeyPairSync('ed25519');

export const pemOf = ({ publicKey }: KeyPairKeyObjectResult): string =>
  publicKey.export({ type: 'spki', format: 'pem' }) as string;

/** The raw 32 bytes in base64. */
export const rawKeyOf = ({ publicKey }: KeyPairKeyObjectResult): string =>
  (publicKey.export({ type: 'spki', format: 'der' }) as Buffer).subarray(-32).toString('base64');

export function signText(text: string, key: KeyPairKeyObjectResult, prefix: string): string {
  return sign(null, Buffer.from(prefix + text), key.privateKey).toString('base64');
}

export function signManifest(
  manifest: Manifest,
  key: KeyPairKeyObjectResult,
): { manifest: string; signature: string } {
  const text = JSON.stringify(manifest);
  return { manifest: text, signature: signText(text, key, MANIFEST.signedPrefix) };
}

/** For version v2.1.0, all organizations, and the key `release`; valid until 2100. */
export function manifestOf(change: Partial<Manifest> = {}): Manifest {
  return {
    schema: 1,
    name: 'pump-firmware',
    version: 'v2.1.0',
    sequence: 7,
    device_types: ['raspberry_pi', 'valve'],
    organization_id: null,
    sha256: 'a3'.repeat(32),
    size: 1_000,
    unpacked_size: 2_000,
    file_count: 2,
    issued: '2020-01-01T00:00:00Z',
    expires: '2100-01-01T00:00:00Z',
    key_id: 'release',
    ...change,
  };
}

/** The first keyring of the root key `root`; valid until 2100. */
export function keyringOf(keys: Keyring['keys'], change: Partial<Keyring> = {}): Keyring {
  return {
    schema: 1,
    sequence: 1,
    organization_id: null,
    keys,
    issued: '2020-01-01T00:00:00Z',
    expires: '2100-01-01T00:00:00Z',
    key_id: 'root',
    ...change,
  };
}

export function signKeyring(
  keyring: Keyring,
  root: KeyPairKeyObjectResult,
  prefix = KEYRING.signedPrefix,
): SignedKeyring {
  const text = JSON.stringify(keyring);
  return { keyring: text, signature: signText(text, root, prefix) };
}
