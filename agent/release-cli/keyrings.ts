/** `ota keyring`: made where the public keys are, signed where the root key is. */
import { UsageError } from '../kernel/errors.ts';
import {
  KEYRING,
  type Keyring,
  type SignedKeyring,
  readSignedKeyring,
  verifyKeyring,
} from '../../backend/contract/signing/keyring.ts';
import { lifetimeFault, readStrictly } from '../../backend/contract/signing/strict-document.ts';
import { EXIT } from './exit-codes.ts';
import { readText, writeNew } from './files.ts';
import { readKeyEntry, signWith } from './keys.ts';
import type { Lifetime } from './lifetime.ts';

export interface KeyringRequest extends Lifetime {
  sequence: number;
  keyFiles: string[];
  revokedFiles: string[];
  rootKeyId: string;
  organizationId: string | null;
  out: string;
}

/** @throws {UsageError} */
export async function makeKeyring(request: KeyringRequest): Promise<Keyring> {
  const read = (file: string) => readKeyEntry(file);
  const trusted = await Promise.all(request.keyFiles.map(read));
  const revoked = await Promise.all(request.revokedFiles.map(read));
  const entry = (id: string, public_key: string, isRevoked: boolean) => ({
    id,
    public_key,
    revoked: isRevoked,
  });
  const keyring: Keyring = {
    schema: 1,
    sequence: request.sequence,
    organization_id: request.organizationId,
    keys: [
      ...trusted.map(({ id, public_key }) => entry(id, public_key, false)),
      ...revoked.map(({ id, public_key }) => entry(id, public_key, true)),
    ],
    issued: request.issued,
    expires: request.expires,
    key_id: request.rootKeyId,
  };
  const text = JSON.stringify(keyring);
  const checked = readStrictly(text, KEYRING);
  if ('refused' in checked) throw new UsageError(`${checked.refused}.`, EXIT.usage);
  await writeNew(request.out, text);
  return keyring;
}

/**
 * @param out default: the keyring's name with `.signed.json` in place of `.json`
 * @returns where the signed keyring was written
 * @throws {UsageError}
 */
export async function signKeyring(
  file: string,
  rootKeyFile: string,
  out = file.replace(/(\.json)?$/, '.signed.json'),
): Promise<string> {
  const keyring = await readText(file, 'The keyring');
  const read = readStrictly(keyring, KEYRING);
  if ('refused' in read) throw refused(`${file}: ${read.refused}`);
  const expired = lifetimeFault('keyring', read.value, new Date());
  if (expired) throw refused(expired);
  const signature = await signWith(rootKeyFile, read.value.key_id, keyring, KEYRING);
  const signed: SignedKeyring = { keyring, signature };
  await writeNew(out, `${JSON.stringify(signed)}\n`);
  return out;
}

/** @throws {UsageError} saying why devices with these root keys would refuse it */
export async function checkKeyring(file: string, rootKeyFiles: string[]): Promise<Keyring> {
  const read = readSignedKeyring(await readText(file, 'The keyring'));
  if ('refused' in read) throw refused(read.refused);
  const rootKeys = await Promise.all(rootKeyFiles.map((one) => readKeyEntry(one)));
  const verdict = verifyKeyring(read.signed, rootKeys, { now: new Date() });
  if ('refused' in verdict) throw refused(verdict.refused);
  return verdict.keyring;
}

function refused(why: string): UsageError {
  return new UsageError(`Refused: ${why}.`, EXIT.refused);
}
