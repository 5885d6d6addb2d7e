/** Paths in the state folder that several parts of the agent use. */
import { join } from 'node:path';

/** Name of a package in the folder of its run, and below `download/`. */
export const PACKAGE_FILE = 'package.tar.gz';

/** Folder of a run; without one, the folder of all of them. */
export function workDir(stateDir: string, runId = ''): string {
  return join(stateDir, 'work', runId);
}

/** Where the package of this run is downloaded to. */
export function packageFileOf(stateDir: string, runId: string): string {
  return join(workDir(stateDir, runId), PACKAGE_FILE);
}

/** The description of a partial download, beside it. */
export function packageInfoFile(packageFile: string): string {
  return `${packageFile}.json`;
}

/** The download of an attempt that did not complete. */
export function keptDownloadDir(stateDir: string): string {
  return join(stateDir, 'download');
}

/** Folder of the snapshot of a run; without one, the folder of all of them. */
export function snapshotDir(stateDir: string, runId = ''): string {
  return join(stateDir, 'snapshots', runId);
}

/** `install.sh` of this run requests a reboot by creating this file. */
export function rebootRequestFile(stateDir: string, runId: string): string {
  return join(workDir(stateDir, runId), 'reboot-required');
}

/**
 * Exists from the reboot into a new system until its commit or rollback. Services that confirm every start to
 * the boot loader wait for it to go (docs/boot-adapters.md).
 */
export function onTrialFile(stateDir: string): string {
  return join(stateDir, 'reboot-on-trial');
}
