import { readFile } from 'node:fs/promises';
import path from 'node:path';

import Joi from 'joi';

import type { HostRole } from '../../backend/host-contract.ts';

export const SUPPORTED_API_VERSION = 1;

/** What the host needs to know from `plugin.json`; the file may say more. */
export interface PluginManifest {
  apiVersion: number;
  id: string;
  name: string;
  version: string;
  /** Absolute path of the module that exports `activate`. */
  main: string;
  roles: HostRole[];
}

const schema = Joi.object<PluginManifest>({
  apiVersion: Joi.valid(SUPPORTED_API_VERSION).required(),
  id: Joi.string()
    .pattern(/^[a-z][a-z0-9-]*$/)
    .required(),
  name: Joi.string().required(),
  version: Joi.string().required(),
  main: Joi.string().required(),
  roles: Joi.array()
    .items(Joi.valid('api', 'worker', 'all'))
    .min(1)
    .required(),
}).unknown(true);

/** @throws naming every fault when the file is missing, not JSON, or not a manifest */
export async function readPluginManifest(packageRoot: string): Promise<PluginManifest> {
  const file = path.join(packageRoot, 'plugin.json');
  const content: unknown = JSON.parse(await readFile(file, 'utf8'));
  const { value, error } = schema.validate(content, { abortEarly: false });
  if (error) throw new Error(`${file} is not a plugin manifest: ${error.message}`);
  const main = path.resolve(packageRoot, value.main);
  if (!main.startsWith(path.resolve(packageRoot) + path.sep)) {
    throw new Error(`${file}: "main" leads out of the plugin's folder.`);
  }
  return { ...value, main };
}
