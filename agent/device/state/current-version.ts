/** The version installed on this device, in a file that other programs may read. */
import { readIfPresent, removeDurable, writeDurable } from '../../files/durable-file.ts';
import { withRoom } from '../../files/room.ts';
import type { AgentConfig } from '../config/agent-config.ts';

/** The installed version, or `null` when it was never recorded. */
export async function readCurrentVersion(config: AgentConfig): Promise<string | null> {
  const text = await readIfPresent(config.current_version_file);
  return text?.split('\n')[0]?.trim() || null;
}

export async function writeCurrentVersion(
  config: AgentConfig,
  version: string | null,
): Promise<void> {
  if (version === null) await removeDurable(config.current_version_file);
  else {
    await withRoom(config.state_dir, () =>
      writeDurable(config.current_version_file, `${version}\n`, 0o644),
    );
  }
}
