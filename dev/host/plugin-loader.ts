/** Brings the plugin to life the way Ops-Center does: through `plugin.json`, and nothing else. */
import { pathToFileURL } from 'node:url';

import type { Logger } from 'pino';

import type { Activate, ActivePlugin, HostContext } from '../../backend/host-contract.ts';
import { readPluginManifest, type PluginManifest } from './plugin-manifest.ts';
import { createPluginScope } from './plugin-scope.ts';

export interface LoadedPlugin {
  manifest: PluginManifest;
  plugin: ActivePlugin;
  /** Deactivates the plugin and takes off what it forgot. Rejects never. */
  unload(): Promise<void>;
}

/** `null`: the plugin is broken; why is in the log, and nothing of it is left in the host. */
export async function loadPlugin(
  packageRoot: string,
  host: HostContext,
  logger: Logger,
): Promise<LoadedPlugin | null> {
  const scope = createPluginScope(host);
  try {
    const manifest = await readPluginManifest(packageRoot);
    if (!manifest.roles.includes(host.role)) {
      throw new Error(`Plugin "${manifest.id}" does not run in the role "${host.role}".`);
    }
    const activate = await importActivate(manifest);
    const plugin = await activate(scope.context);
    logger.info({ plugin: manifest.id, version: manifest.version }, 'Plugin is active');
    return { manifest, plugin, unload };

    async function unload(): Promise<void> {
      try {
        await plugin.deactivate();
      } catch (error) {
        logger.error({ err: error, plugin: manifest.id }, 'Plugin did not deactivate cleanly');
      }
      const leftovers = scope.release();
      if (leftovers.length > 0) {
        logger.warn({ plugin: manifest.id, leftovers }, 'Plugin left something behind');
      }
    }
  } catch (error) {
    scope.release();
    logger.error({ err: error, packageRoot }, 'Plugin is broken and was skipped');
    return null;
  }
}

async function importActivate(manifest: PluginManifest): Promise<Activate> {
  const module = (await import(pathToFileURL(manifest.main).href)) as { activate?: unknown };
  if (typeof module.activate !== 'function') {
    throw new Error(`${manifest.main} does not export a function "activate".`);
  }
  return module.activate as Activate;
}
