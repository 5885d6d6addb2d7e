/** Checks with the agent's own code whether a device with the default limits would accept a package. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorCode } from '../files/durable-file.ts';
import { StepFailure, UsageError, messageOf } from '../kernel/errors.ts';
import { extractPackage } from '../package/extract.ts';
import { DEFAULT_EXTRACT_LIMITS, DEFAULT_MAX_PACKAGE_BYTES } from '../package/limits.ts';
import {
  BUNDLED_KEYRING,
  KEYRING,
  readSignedKeyring,
} from '../../backend/contract/signing/keyring.ts';
import { readStrictly } from '../../backend/contract/signing/strict-document.ts';
import { EXIT } from './exit-codes.ts';

/** @returns size in bytes and SHA-256 as 64 hex digits */
export async function measurePackage(file: string): Promise<{ size: number; sha256: string }> {
  const hash = createHash('sha256');
  let size = 0;
  try {
    for await (const chunk of createReadStream(file)) {
      hash.update(chunk as Buffer);
      size += (chunk as Buffer).length;
    }
  } catch (error) {
    throw new UsageError(`The package ${file} cannot be read: ${messageOf(error)}`, EXIT.usage);
  }
  return { size, sha256: hash.digest('hex') };
}

/**
 * Unpacks it as a device would, into a temporary folder.
 * @throws {UsageError} saying why a device would refuse it
 */
export async function requireInstallable(
  file: string,
  measured: { size: number; sha256: string },
  expected: { unpackedSize: number; fileCount: number },
): Promise<void> {
  if (measured.size > DEFAULT_MAX_PACKAGE_BYTES) {
    throw refused(`it has ${measured.size} bytes, and devices accept ${DEFAULT_MAX_PACKAGE_BYTES}`);
  }
  const folder = await mkdtemp(join(tmpdir(), 'ota-check-'));
  try {
    const target = join(folder, 'package');
    await extractPackage({
      file,
      checksum: measured.sha256,
      target,
      limits: DEFAULT_EXTRACT_LIMITS,
      expected,
      signal: new AbortController().signal,
    });
    await requireKeyringForm(join(target, BUNDLED_KEYRING));
  } catch (error) {
    if (error instanceof StepFailure) throw refused(error.message);
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The form only: which root key signed it is checked by devices. */
async function requireKeyringForm(file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return;
  const read = readSignedKeyring(text);
  const document = 'signed' in read ? readStrictly(read.signed.keyring, KEYRING) : read;
  if ('refused' in document) throw refused(`${BUNDLED_KEYRING}: ${document.refused}`);
}

function refused(why: string): UsageError {
  return new UsageError(`A device would refuse this package: ${why}`, EXIT.refused);
}
