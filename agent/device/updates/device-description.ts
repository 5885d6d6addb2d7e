/** What polls and the registration tell the server about the device. */
import type { BootAdapter } from '../boot/boot-adapter.ts';
import type { AgentConfig } from '../config/agent-config.ts';
import type { DeviceDescription } from '../network/server-api.ts';
import { readComponents } from '../state/components.ts';
import { readCurrentVersion } from '../state/current-version.ts';
import { readProtection } from './protection.ts';

export async function describeDevice(
  config: AgentConfig,
  adapter: BootAdapter,
): Promise<DeviceDescription> {
  return {
    currentVersion: await readCurrentVersion(config),
    protection: await readProtection(config, adapter),
    // A file that cannot be read keeps no device from polling; the next update reports it.
    components: await readComponents(config).catch(() => ({})),
  };
}
