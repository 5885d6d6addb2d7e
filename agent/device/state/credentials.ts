/** The device's registration at the server; written by `register` and `adopt`, readable by the agent's user only. */
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import Joi from 'joi';
import { readIfPresent, writeDurable } from '../../files/durable-file.ts';
import { UsageError } from '../../kernel/errors.ts';
import { EXIT } from '../../kernel/exit-codes.ts';
import { parseJsonText } from '../../kernel/json-text.ts';

export interface Credentials {
  server_url: string;
  device_id: string;
  device_name: string | null;
  organization_id: string | null;
  auth_token: string;
  /** Seconds. */
  heartbeat_interval: number;
  config_version: string | number | null;
  hardware_id: string;
}

const nothing = Joi.valid(null);

/** The server's answer to a registration. */
const registrationAnswer = Joi.object({
  device_id: Joi.string().max(200).required(),
  device_name: Joi.string().allow(null, '').default(null),
  organization_id: Joi.string().allow(null).default(null),
  auth_token: Joi.string()
    .pattern(/^[\x21-\x7e]+$/, 'token')
    .required(),
  heartbeat_interval: Joi.number().min(1).max(86_400).default(60),
  config_version: Joi.alternatives(Joi.string().allow(''), Joi.number(), nothing).default(null),
})
  .unknown(true)
  .required()
  .label('the registration');

/** A file written by hand may lack what every call needs. */
const storedCredentials = registrationAnswer.keys({
  server_url: Joi.string()
    .uri({ scheme: ['http', 'https'] })
    .required(),
  hardware_id: Joi.string().allow(''),
});

/** What the server returns for a device that it registers. */
type Registration = Omit<Credentials, 'server_url' | 'hardware_id'>;

/**
 * Reads the answer to a registration; unknown keys are left out.
 * @throws {Joi.ValidationError} naming every fault
 */
export function readRegistration(answer: unknown): Registration {
  const result = registrationAnswer.validate(answer, { abortEarly: false, convert: false });
  if (result.error) throw result.error;
  const value = result.value as Registration;
  return {
    device_id: value.device_id,
    device_name: value.device_name,
    organization_id: value.organization_id,
    auth_token: value.auth_token,
    heartbeat_interval: value.heartbeat_interval,
    config_version: value.config_version,
  };
}

export async function readCredentials(stateDir: string): Promise<Credentials | null> {
  const text = await readIfPresent(credentialsPath(stateDir));
  if (text === null) return null;
  try {
    return Joi.attempt(parseJsonText(text), storedCredentials, { convert: false }) as Credentials;
  } catch {
    throw new UsageError(
      `${credentialsPath(stateDir)} cannot be read; register the device again with --force.`,
      EXIT.notRegistered,
    );
  }
}

export async function writeCredentials(stateDir: string, credentials: Credentials): Promise<void> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  await chmod(stateDir, 0o700);
  await writeDurable(credentialsPath(stateDir), JSON.stringify(credentials, null, 2), 0o600);
}

export function credentialsPath(stateDir: string): string {
  return join(stateDir, 'credentials.json');
}
