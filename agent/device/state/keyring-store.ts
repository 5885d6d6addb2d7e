/**
 * The keyrings this device has imported, one file each under `keyrings/` in the state folder, named by
 * sequence. None is ever removed: the highest one is in force, and what any of them revoked stays revoked. So
 * two that are imported at the same time cannot undo each other.
 */
import { mkdir, readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BUNDLED_KEYRING,
  type HeldKeyring,
  KEYRING,
  type Keyring,
  MAX_KEYRING_BYTES,
  effectiveKeys,
  readSignedKeyring,
  importFault,
  verifyKeyring,
} from '../../../backend/contract/signing/keyring.ts';
import { readStrictly } from '../../../backend/contract/signing/strict-document.ts';
import type { TrustedKey } from '../../../backend/contract/signing/trusted-keys.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { errorCode, writeDurable } from '../../files/durable-file.ts';
import { StepFailure } from '../../kernel/errors.ts';

/** Enough for every sequence, so that names sort like numbers. */
const SEQUENCE_DIGITS = 16;
const FILE_NAME = new RegExp(`^\\d{${SEQUENCE_DIGITS}}\\.json$`);

/**
 * @returns the sequence that is in force now; whether this keyring was imported
 * @throws {StepFailure} why the keyring is refused; then nothing has changed
 */
export async function importKeyring(
  config: AgentConfig,
  organizationId: string | null,
  text: string,
): Promise<{ sequence: number; imported: boolean }> {
  const refuse = (why: string): never => {
    throw refusal(`Refused: ${why}.`);
  };
  const { root_keys: rootKeys } = config.signatures;
  if (rootKeys.length === 0)
    refuse('this device has no signatures.root_keys to verify keyrings with');
  const read = readSignedKeyring(text);
  if ('refused' in read) return refuse(read.refused);
  const verdict = verifyKeyring(read.signed, rootKeys, { organizationId, now: new Date() });
  if ('refused' in verdict) return refuse(verdict.refused);
  const { keyring } = verdict;
  const { held, damaged } = await readHeld(config);
  const newest = held.at(-1);
  if (newest?.signed.keyring === read.signed.keyring) {
    return { sequence: keyring.sequence, imported: false };
  }
  const fault = importFault(keyring, newest?.keyring ?? null);
  if (fault) refuse(fault);
  const highestDamaged = damaged.at(-1) ?? -1;
  if (keyring.sequence < highestDamaged) {
    refuse(
      `the keyring’s sequence ${keyring.sequence} is below ${highestDamaged}, which this device had, but cannot read any more`,
    );
  }
  const folder = folderOf(config);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeDurable(join(folder, fileName(keyring.sequence)), JSON.stringify(read.signed));
  return { sequence: keyring.sequence, imported: true };
}

/**
 * The keys that may sign packages for this device.
 * @throws {StepFailure} when the keyring in force is damaged, expired, or not signed with a current root key
 */
export async function trustedKeys(
  config: AgentConfig,
  organizationId: string | null,
): Promise<TrustedKey[]> {
  const { keys, root_keys: rootKeys } = config.signatures;
  const { held, damaged } = await readHeld(config);
  if (damaged.length > 0) {
    const files = damaged.map((sequence) => join(folderOf(config), fileName(sequence)));
    throw refusal(
      `Refused: ${files.join(', ')} cannot be read, so this device does not know which keys to trust. ` +
        'Remove the file and give the device its newest keyring with ota-agent keyring FILE.',
    );
  }
  let inForce: Keyring | null = null;
  const newest = held.at(-1);
  if (newest && rootKeys.length > 0) {
    const verdict = verifyKeyring(newest.signed, rootKeys, { organizationId, now: new Date() });
    if ('refused' in verdict) {
      throw refusal(
        `Refused: ${verdict.refused}. Give this device a newer keyring with ota-agent keyring FILE.`,
      );
    }
    inForce = verdict.keyring;
  }
  if (!inForce && keys.length === 0) {
    throw refusal(
      'Refused: this device has no keyring yet. Give it one with ota-agent keyring FILE.',
    );
  }
  return effectiveKeys(
    keys,
    inForce,
    held.map(({ keyring }) => keyring),
  );
}

/**
 * Imports the keyring of a verified package, where it contains one. One with a sequence that this device has,
 * or a lower one, is ignored: packages may be installed again, or after newer ones.
 * @returns whether the trusted keys have changed
 * @throws {StepFailure} when it is not signed with a root key of this device
 */
export async function importKeyringOfPackage(
  config: AgentConfig,
  organizationId: string | null,
  unpacked: string,
): Promise<boolean> {
  if (config.signatures.root_keys.length === 0) return false;
  const file = join(unpacked, BUNDLED_KEYRING);
  const found = await stat(file).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  });
  if (!found) return false;
  if (!found.isFile() || found.size > 2 * MAX_KEYRING_BYTES) {
    throw refusal(`Refused: ${BUNDLED_KEYRING} in the package is not a keyring.`);
  }
  const text = await readFile(file, 'utf8');
  const read = readSignedKeyring(text);
  const document = 'signed' in read ? readStrictly(read.signed.keyring, KEYRING) : read;
  const newest = (await readHeld(config)).held.at(-1);
  if ('value' in document && newest && document.value.sequence <= newest.keyring.sequence) {
    return false;
  }
  return (await importKeyring(config, organizationId, text)).imported;
}

interface Held {
  /** By sequence, ascending. */
  held: HeldKeyring[];
  /** Sequences whose file cannot be read, ascending. */
  damaged: number[];
}

async function readHeld(config: AgentConfig): Promise<Held> {
  const folder = folderOf(config);
  const names = await readdir(folder).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return [] as string[];
    throw error;
  });
  const result: Held = { held: [], damaged: [] };
  for (const name of names.filter((one) => FILE_NAME.test(one)).sort()) {
    const sequence = Number(name.slice(0, SEQUENCE_DIGITS));
    const read = readSignedKeyring(await readFile(join(folder, name), 'utf8'));
    const document = 'signed' in read ? readStrictly(read.signed.keyring, KEYRING) : read;
    if ('signed' in read && 'value' in document && document.value.sequence === sequence) {
      result.held.push({ signed: read.signed, keyring: document.value });
    } else result.damaged.push(sequence);
  }
  return result;
}

function folderOf(config: AgentConfig): string {
  return join(config.state_dir, 'keyrings');
}

function fileName(sequence: number): string {
  return `${String(sequence).padStart(SEQUENCE_DIGITS, '0')}.json`;
}

function refusal(message: string): StepFailure {
  return new StepFailure(message, 'verification');
}
