/** Key files: private ones are never shown, none is ever overwritten. */
import {
  type KeyObject,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
} from 'node:crypto';
import { stat } from 'node:fs/promises';
import { UsageError, messageOf } from '../kernel/errors.ts';
import { readPublicKey } from '../../backend/contract/signing/ed25519.ts';
import type { DocumentKind } from '../../backend/contract/signing/strict-document.ts';
import { type TrustedKey, trustedKeysSchema } from '../../backend/contract/signing/trusted-keys.ts';
import { EXIT } from './exit-codes.ts';
import { readText, writeNew } from './files.ts';

const PRIVATE_SUFFIX = '.key';
const PUBLIC_SUFFIX = '.pub.json';
/** Environment variable, since every user of the machine can read the command line. */
const PASSPHRASE = 'OTA_KEY_PASSPHRASE';

/**
 * Creates `<base>.key` (PKCS #8, mode 0600, encrypted when there is a passphrase) and `<base>.pub.json`, the entry for every list of keys.
 * @throws {UsageError} when one of them exists
 */
export async function createKeyFiles(
  base: string,
  id: string,
): Promise<{ privateFile: string; publicFile: string; entry: string }> {
  const privateFile = base + PRIVATE_SUFFIX;
  const publicFile = base + PUBLIC_SUFFIX;
  if (await stat(publicFile).catch(() => null)) {
    throw new UsageError(`${publicFile} is not written: it already exists.`, EXIT.usage);
  }
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const passphrase = process.env[PASSPHRASE];
  const pem = privateKey.export({
    type: 'pkcs8',
    format: 'pem',
    ...(passphrase && { cipher: 'aes-256-cbc', passphrase }),
  }) as string;
  const entry = JSON.stringify({ id, public_key: bareBytes(publicKey) });
  await writeNew(privateFile, pem, { mode: 0o600 });
  await writeNew(publicFile, `${entry}\n`);
  return { privateFile, publicFile, entry };
}

/**
 * @param file private key in PEM
 * @param keyId id of the key in the signed text
 * @returns the signature in base64
 * @throws {UsageError} also when the public key beside it has another id or belongs to another key
 */
export async function signWith(
  file: string,
  keyId: string,
  text: string,
  { signedPrefix }: Pick<DocumentKind<unknown>, 'signedPrefix'>,
): Promise<string> {
  const key = await readPrivateKey(file);
  const beside = file.replace(new RegExp(`\\${PRIVATE_SUFFIX}$`), PUBLIC_SUFFIX);
  if (beside !== file && (await stat(beside).catch(() => null))) {
    const entry = await readKeyEntry(beside);
    const bytes = readPublicKey(entry.public_key).toString('base64');
    if (bytes !== bareBytes(createPublicKey(key))) {
      throw new UsageError(`${beside} is not the public key of ${file}.`, EXIT.usage);
    }
    if (entry.id !== keyId) {
      throw new UsageError(
        `This is to be signed with the key ${keyId}, but ${file} is ${entry.id}, according to ${beside}.`,
        EXIT.usage,
      );
    }
  }
  return sign(null, Buffer.from(signedPrefix + text, 'utf8'), key).toString('base64');
}

async function readPrivateKey(file: string): Promise<KeyObject> {
  const text = await readText(file, 'The private key');
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: text, passphrase: process.env[PASSPHRASE] ?? '' });
  } catch {
    throw new UsageError(
      `${file} is not a private key in PEM, or ${PASSPHRASE} is not its passphrase.`,
      EXIT.usage,
    );
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new UsageError(`${file} is not an Ed25519 key.`, EXIT.usage);
  }
  if (((await stat(file)).mode & 0o077) !== 0) {
    console.error(`Warning: ${file} is accessible to other users. Run: chmod 600 ${file}`);
  }
  return key;
}

/** A public key as `ota keygen` writes it. */
export async function readKeyEntry(file: string): Promise<TrustedKey> {
  const text = await readText(file, 'The public key');
  let entry: unknown;
  try {
    entry = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${file} is not a public key: ${messageOf(error)}`, EXIT.usage);
  }
  const result = trustedKeysSchema().validate([entry], { convert: false });
  if (result.error) {
    throw new UsageError(`${file} is not a public key: ${result.error.message}`, EXIT.usage);
  }
  return (result.value as [TrustedKey])[0];
}

/** The same, or a PEM file, which has no id of its own. */
export async function readVerificationKey(file: string, id: string): Promise<TrustedKey> {
  const text = await readText(file, 'The public key');
  if (!text.startsWith('-----BEGIN')) return readKeyEntry(file);
  try {
    readPublicKey(text);
  } catch (error) {
    throw new UsageError(`The public key ${file} ${messageOf(error)}.`, EXIT.usage);
  }
  return { id, public_key: text, revoked: false };
}

function bareBytes(key: KeyObject): string {
  return readPublicKey(key.export({ type: 'spki', format: 'pem' }) as string).toString('base64');
}
