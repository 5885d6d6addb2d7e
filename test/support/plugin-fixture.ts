import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface PluginFixture {
  root: string;
  remove(): Promise<void>;
}

const MANIFEST = {
  apiVersion: 1,
  id: 'sample',
  name: 'Sample',
  version: '1.0.0',
  main: 'main.js',
  roles: ['api', 'worker', 'all'],
};

/** Creates a folder with a plugin for tests of the host: `plugin.json` and the given files. */
export async function createPluginFixture(
  files: Record<string, string>,
  manifest: Record<string, unknown> = {},
): Promise<PluginFixture> {
  const root = await mkdtemp(path.join(tmpdir(), 'ops-center-plugin-'));
  const all = {
    'package.json': '{"type": "module"}',
    'plugin.json': JSON.stringify({ ...MANIFEST, ...manifest }),
    ...files,
  };
  for (const [name, content] of Object.entries(all)) {
    const file = path.join(root, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
  }
  return { root, remove: () => rm(root, { recursive: true }) };
}
