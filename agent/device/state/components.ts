/**
 * What is installed on this device, by product. The main product has its version in `current_version_file`,
 * which other programs may read, and its sequence in the file `sequence`. All other packages are components,
 * which share one file. Kept apart from the journal, so that a damaged journal does not open the way to old
 * versions.
 */
import { join } from 'node:path';
import type { Components } from '../../../backend/contract/device-api.ts';
import { packageNameOf } from '../../../backend/contract/signing/manifest.ts';
import { readIfPresent, writeDurable } from '../../files/durable-file.ts';
import { withRoom } from '../../files/room.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import { readCurrentVersion, writeCurrentVersion } from './current-version.ts';
import { raiseSequence, readSequence } from './installed-sequence.ts';

interface InstalledComponent {
  /** `null`: it was installed, and rolled back to nothing. */
  version: string | null;
  /** The highest manifest sequence that was ever installed; `null`: none. */
  sequence: number | null;
}

interface Installed {
  /** Package name of the main product; `null`: no package with a name was installed yet. */
  main: string | null;
  components: Map<string, InstalledComponent>;
}

/** What a commit records. */
export interface Installation {
  /** Text of the manifest; `null`: the package has none. */
  manifest: string | null;
  component: string | null;
  version: string;
  /** From a verified manifest; `null`: none. */
  sequence: number | null;
}

/**
 * A package without a manifest has no name, and is the main product. So is the first package with a name, unless
 * the configuration names another one.
 * @param manifest its text, which may not be verified yet
 * @returns the component that the package is for; `null`: the main product
 */
export async function componentOf(
  config: AgentConfig,
  manifest: string | null,
): Promise<string | null> {
  const { main } = await readInstalled(config);
  const packageName = nameIn(manifest);
  return packageName === null || main === null || packageName === main ? null : packageName;
}

/** @param component `null`: the main product */
export async function readVersionOf(
  config: AgentConfig,
  component: string | null,
): Promise<string | null> {
  if (component === null) return readCurrentVersion(config);
  return (await readInstalled(config)).components.get(component)?.version ?? null;
}

/**
 * The highest sequence that was ever installed.
 * @throws Error when it is there and cannot be read
 */
export async function readSequenceOf(
  config: AgentConfig,
  component: string | null,
): Promise<number | null> {
  if (component === null) return readSequence(config);
  return (await readInstalled(config)).components.get(component)?.sequence ?? null;
}

/** After an update; may be repeated. */
export async function recordInstallation(
  config: AgentConfig,
  { manifest, component, version, sequence }: Installation,
): Promise<void> {
  if (component === null) {
    await writeCurrentVersion(config, version);
    if (sequence !== null) await raiseSequence(config, sequence);
    const name = nameIn(manifest);
    if (name !== null) await change(config, (installed) => (installed.main = name));
    return;
  }
  await change(config, ({ components }) => {
    const highest = components.get(component)?.sequence ?? null;
    const raised = Math.max(highest ?? -1, sequence ?? -1);
    components.set(component, { version, sequence: raised < 0 ? null : raised });
  });
}

/** After a rollback: the sequence stays, so that only the snapshot leads back to older versions. */
export async function recordRestored(
  config: AgentConfig,
  component: string | null,
  version: string | null,
): Promise<void> {
  if (component === null) return writeCurrentVersion(config, version);
  await change(config, ({ components }) => {
    const known = components.get(component);
    if (known || version !== null) {
      components.set(component, { version, sequence: known?.sequence ?? null });
    }
  });
}

/** The installed versions of all products whose package name is known. */
export async function readComponents(config: AgentConfig): Promise<Components> {
  const { main, components } = await readInstalled(config);
  const versions: [string, string | null][] = [...components].map(([name, one]) => [
    name,
    one.version,
  ]);
  if (main !== null) versions.push([main, await readCurrentVersion(config)]);
  return Object.fromEntries(versions.filter((one): one is [string, string] => one[1] !== null));
}

function nameIn(manifest: string | null): string | null {
  return manifest === null ? null : packageNameOf(manifest);
}

async function change(config: AgentConfig, edit: (installed: Installed) => void): Promise<void> {
  const installed = await readInstalled(config);
  const before = encode(installed);
  edit(installed);
  const after = encode(installed);
  if (after === before) return;
  await withRoom(config.state_dir, () => writeDurable(fileOf(config), after));
}

function encode({ main, components }: Installed): string {
  return `${JSON.stringify({ main, components: Object.fromEntries(components) })}\n`;
}

/** @throws Error when the file is there and cannot be read */
async function readInstalled(config: AgentConfig): Promise<Installed> {
  const text = await readIfPresent(fileOf(config));
  const stored = text === null ? { main: null, components: {} } : parse(text, fileOf(config));
  return {
    main: config.main_package ?? stored.main,
    components: new Map(Object.entries(stored.components)),
  };
}

interface StoredFile {
  main: string | null;
  components: Record<string, InstalledComponent>;
}

function parse(text: string, file: string): StoredFile {
  try {
    const stored = JSON.parse(text) as StoredFile;
    if (typeof stored.components === 'object') return stored;
  } catch {
    // Reported below.
  }
  throw new Error(`${file} does not hold the installed components`);
}

function fileOf(config: AgentConfig): string {
  return join(config.state_dir, 'components.json');
}
