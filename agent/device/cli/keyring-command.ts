/** `ota-agent keyring`: shows which keys may sign packages for this device, and imports a new keyring. */
import { readFile } from 'node:fs/promises';
import type { AgentConfig } from '../config/agent-config.ts';
import { readCredentials } from '../state/credentials.ts';
import { UsageError, messageOf } from '../../kernel/errors.ts';
import { EXIT, type ExitCode } from '../../kernel/exit-codes.ts';
import { importKeyring, trustedKeys } from '../state/keyring-store.ts';

/**
 * Works beside a running agent, which uses the new keys from its next package on.
 * @param file a signed keyring to import; without one nothing changes
 * @throws {StepFailure} when the keyring is refused
 */
export async function showOrImportKeyring(
  config: AgentConfig,
  file: string | undefined,
): Promise<ExitCode> {
  const { keys, root_keys: rootKeys } = config.signatures;
  const organizationId = (await readCredentials(config.state_dir))?.organization_id ?? null;
  if (file !== undefined) {
    const { sequence, imported } = await importKeyring(config, organizationId, await read(file));
    console.log(
      imported ? `Keyring ${sequence} is in force.` : `Keyring ${sequence} was in force already.`,
    );
  }
  if (keys.length === 0 && rootKeys.length === 0) {
    console.log('No keys are configured: packages need no signature.');
    return EXIT.ok;
  }
  for (const key of await trustedKeys(config, organizationId)) {
    console.log(`${key.revoked ? 'revoked' : 'trusted'}  ${key.id}`);
  }
  return EXIT.ok;
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`The keyring cannot be read: ${messageOf(error)}`, EXIT.usage);
  }
}
