/** What brings this device back after an update that fails. */
import { access } from 'node:fs/promises';
import type { Protection } from '../../../backend/contract/states.ts';
import type { BootAdapter, BootAdapterName } from '../boot/boot-adapter.ts';
import type { AgentConfig } from '../config/agent-config.ts';

interface Safeguards {
  /** At least one snapshot path exists. */
  savesFiles: boolean;
  /** Something finds out that the new version does not work. */
  checksHealth: boolean;
  /** The boot adapter that can be used. */
  adapter: BootAdapterName;
}

/** Pure. */
export function protectionBy({ savesFiles, checksHealth, adapter }: Safeguards): Protection {
  if (!checksHealth) return 'none';
  // RAUC always writes a whole slot. Of the others only the device's maker knows.
  if (adapter === 'rauc') return 'slots';
  if (!savesFiles) return 'none';
  return adapter === 'none' ? 'files' : 'files_and_boot';
}

/** An adapter that cannot be used protects nothing. Never rejects. */
export async function readProtection(
  config: AgentConfig,
  adapter: BootAdapter,
): Promise<Protection> {
  const usable = await adapter.check().then(
    () => true,
    () => false,
  );
  const { system_checks: systemChecks, checks } = config.health;
  return protectionBy({
    savesFiles: await anyExists(config.snapshot_paths),
    checksHealth: systemChecks || checks.length > 0,
    adapter: usable ? adapter.name : 'none',
  });
}

/** For people. */
export const PROTECTION_WORDS: Record<Protection, string> = {
  none: 'nothing is saved or checked, so an update that fails is not undone',
  files: 'files are restored and health is checked; a new kernel that does not start stays down',
  files_and_boot: 'files are restored, and the boot loader returns to the old kernel',
  slots: 'the boot loader returns to the old system',
};

async function anyExists(paths: string[]): Promise<boolean> {
  const found = await Promise.all(
    paths.map((path) =>
      access(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}
