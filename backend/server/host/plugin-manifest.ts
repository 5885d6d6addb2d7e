import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

import type { HostRole } from '../../host-contract.ts';
import { PACKAGE_ROOT } from '../../kernel/package-root.ts';

/** The fields of `plugin.json` that the host uses. */
export interface PluginManifest {
  id: string;
  name: string;
  version: string;
  /** Absolute path of the module that exports `activate`. */
  main: string;
  roles: HostRole[];
}

/** Part of the contract between host and plugins. Shipped with the plugin, so that editors can use it. */
const SCHEMA = path.join(PACKAGE_ROOT, 'plugin.schema.json');

/** @throws Error if the file is missing, not JSON, or not a valid manifest; names every problem */
export async function readPluginManifest(packageRoot: string): Promise<PluginManifest> {
  const file = path.join(packageRoot, 'plugin.json');
  const content: unknown = JSON.parse(await readFile(file, 'utf8'));
  const ajv = new Ajv2020({ allErrors: true });
  const isManifest = ajv.compile(
    JSON.parse(await readFile(SCHEMA, 'utf8')) as object,
  ) as ValidateFunction<PluginManifest>;
  if (!isManifest(content)) {
    const problems = ajv.errorsText(isManifest.errors, { dataVar: '', separator: '; ' });
    throw new Error(`${file} is not a plugin manifest: ${problems}.`);
  }
  const main = path.resolve(packageRoot, content.main);
  if (!main.startsWith(path.resolve(packageRoot) + path.sep)) {
    throw new Error(`${file}: "main" points outside of the plugin's folder.`);
  }
  return { ...content, main };
}
