/** What demo and test need, and how the power cuts are chosen. */
import { installMissing } from '../debian-packages.ts';
import { VIRTUAL_MACHINE_PROGRAMS } from '../programs.ts';

const DEFAULT_POWER_CUTS = 10;

/**
 * Installs the programs that are missing, as root on Debian.
 * @throws Error that names the packages if that is not possible
 */
export async function requireVirtualMachine(): Promise<void> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error('The virtual machine runs programs of this computer: it needs Linux on x64.');
  }
  const missing = await installMissing(VIRTUAL_MACHINE_PROGRAMS, 'a virtual machine');
  if (missing.length === 0) return;
  const packages = new Set(missing.map(({ debianPackage }) => debianPackage));
  throw new Error(
    `Debian packages are missing and could not be installed: ${[...packages].join(' ')}. ` +
      'Install them, or run this as root.',
  );
}

export interface PowerCutPlan {
  count: number;
  /** The same seed gives the same moments, as shares of an update. */
  seed: number;
}

/** From `OTA_POWER_CUTS` (default 10) and `OTA_POWER_CUT_SEED` (default: a new one). */
export function planPowerCuts(variables: NodeJS.ProcessEnv): PowerCutPlan {
  return {
    count: Number(variables.OTA_POWER_CUTS ?? DEFAULT_POWER_CUTS),
    seed: Number(variables.OTA_POWER_CUT_SEED ?? Date.now() % 1_000_000),
  };
}
