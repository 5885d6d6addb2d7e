/** Who this device is to the server; written by `register`, readable by the agent's user only. */
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import Joi from 'joi';
import { readIfPresent, writeDurable } from './durable-file.ts';
import { UsageError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';

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
export const registrationAnswer = Joi.object({
  device_id: Joi.string().max(200).required(),
  device_name: Joi.string().allow(null, '').default(null),
  organization_id: Joi.string().allow(null).default(null),
  auth_token: Joi.string()
    .pattern(/^[\x21-\x7e]+$/, 'token')
    .required(),
  heartbeat_interval: Joi.number().min(1).max(86_400).default(60),
  config_version: Joi.alternatives(Joi.string().allow(''), Joi.number(), nothing).default(null),
}).unknown(true);

export async function readCredentials(stateDir: string): Promise<Credentials | null> {
  const text = await readIfPresent(credentialsPath(stateDir));
  if (text === null) return null;
  try {
    return JSON.parse(text) as Credentials;
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

function credentialsPath(stateDir: string): string {
  return join(stateDir, 'credentials.json');
}
