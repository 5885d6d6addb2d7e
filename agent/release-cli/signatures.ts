/** `ota sign` and `ota verify`. */
import { UsageError } from '../kernel/errors.ts';
import { readSignedKeyring, verifyKeyring } from '../../backend/contract/signing/keyring.ts';
import {
  MANIFEST,
  type Manifest,
  verifyManifest,
} from '../../backend/contract/signing/manifest.ts';
import { lifetimeFault, readStrictly } from '../../backend/contract/signing/strict-document.ts';
import type { TrustedKey } from '../../backend/contract/signing/trusted-keys.ts';
import { EXIT } from './exit-codes.ts';
import { readLine, readText, writeNew } from './files.ts';
import { readKeyEntry, readVerificationKey, signWith } from './keys.ts';
import { measurePackage, requireInstallable } from './package-check.ts';

/**
 * @param out default: the manifest's name with `.sig` in place of `.json`
 * @returns where the signature was written
 * @throws {UsageError}
 */
export async function signManifest(
  manifestFile: string,
  keyFile: string,
  { out, replace }: { out: string | undefined; replace: boolean },
): Promise<string> {
  const text = await readText(manifestFile, 'The manifest');
  const read = readStrictly(text, MANIFEST);
  if ('refused' in read) throw refused(`${manifestFile}: ${read.refused}`);
  const expired = lifetimeFault('manifest', read.value, new Date());
  if (expired) throw refused(expired);
  const signature = await signWith(keyFile, read.value.key_id, text, MANIFEST);
  const file = out ?? manifestFile.replace(/(\.json)?$/, '.sig');
  await writeNew(file, `${signature}\n`, { replace });
  return file;
}

export interface VerifyRequest {
  archive: string;
  manifestFile: string;
  signatureFile: string;
  publicKeyFile: string | undefined;
  keyringFile: string | undefined;
  rootKeyFiles: string[];
  deviceType: string | undefined;
}

/**
 * Checks everything a device would check, except what depends on its state and configuration.
 * @throws {UsageError} saying why a device would refuse the package
 */
export async function verifyPackage(request: VerifyRequest): Promise<Manifest> {
  const text = await readText(request.manifestFile, 'The manifest');
  const signature = await readLine(request.signatureFile, 'The signature');
  const read = readStrictly(text, MANIFEST);
  if ('refused' in read) throw refused(read.refused);
  const measured = await measurePackage(request.archive);
  const verdict = verifyManifest(text, signature, await keysOf(request, read.value.key_id), {
    sha256: measured.sha256,
    ...(request.deviceType !== undefined && { deviceType: request.deviceType }),
    now: new Date(),
  });
  if ('refused' in verdict) throw refused(verdict.refused);
  const { manifest } = verdict;
  if (manifest.size !== measured.size) {
    throw refused(`the package has ${measured.size} bytes, its manifest has ${manifest.size}`);
  }
  await requireInstallable(request.archive, measured, {
    unpackedSize: manifest.unpacked_size,
    fileCount: manifest.file_count,
  });
  return manifest;
}

async function keysOf(
  { publicKeyFile, keyringFile, rootKeyFiles }: VerifyRequest,
  keyId: string,
): Promise<readonly TrustedKey[]> {
  if (publicKeyFile !== undefined) return [await readVerificationKey(publicKeyFile, keyId)];
  if (keyringFile === undefined || rootKeyFiles.length === 0) {
    throw new UsageError('Give --public-key, or --keyring with --root-key.', EXIT.usage);
  }
  const signed = readSignedKeyring(await readText(keyringFile, 'The keyring'));
  if ('refused' in signed) throw refused(signed.refused);
  const rootKeys = await Promise.all(rootKeyFiles.map((file) => readKeyEntry(file)));
  const verdict = verifyKeyring(signed.signed, rootKeys, { now: new Date() });
  if ('refused' in verdict) throw refused(verdict.refused);
  return verdict.keyring.keys;
}

function refused(why: string): UsageError {
  return new UsageError(`Refused: ${why}.`, EXIT.refused);
}
