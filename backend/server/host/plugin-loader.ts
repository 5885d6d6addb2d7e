/** Loads the plugin as Ops-Center does: only through `plugin.json`. */
import { pathToFileURL } from 'node:url';

import type { Logger } from 'pino';

import type { Activate, ActivePlugin, HostContext } from '../../host-contract.ts';
import { readPluginManifest, type PluginManifest } from './plugin-manifest.ts';
import { createPluginScope } from './plugin-scope.ts';

export interface LoadedPlugin {
  manifest: PluginManifest;
  plugin: ActivePlugin;
  /** Deactivates the plugin and removes what it left registered. Never rejects. */
  unload(): Promise<void>;
}

/** `null`: activation failed. The reason is logged, and nothing of the plugin stays registered. */
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
    logger.info({ plugin: manifest.id, version: manifest.version }, 'Plugin activated');
    return { manifest, plugin, unload };

    async function unload(): Promise<void> {
      try {
        await plugin.deactivate();
      } catch (error) {
        logger.error({ err: error, plugin: manifest.id }, 'Plugin deactivation failed');
      }
      const leftovers = scope.release();
      if (leftovers.length > 0) {
        logger.warn(
          { plugin: manifest.id, leftovers },
          'Plugin did not remove everything it registered',
        );
      }
    }
  } catch (error) {
    scope.release();
    logger.error({ err: error, packageRoot }, 'Plugin activation failed');
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
