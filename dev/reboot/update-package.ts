/** The package that brings a version: the image of its system, and a script that writes it to the free slot. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

import { create } from 'tar';

import { writeFiles } from './root-folder.ts';

/** It also changes a file that both systems use, which the agent has to restore if the update rolls back. */
function installScript(version: string): string {
  return `#!/bin/bash
set -e
case "$(cat /proc/cmdline)" in
  *ota.entry=slot-a*) slot=slot-b partition=/dev/vda3 ;;
  *) slot=slot-a partition=/dev/vda2 ;;
esac
dd if=system.img of=$partition bs=1M
echo "settings of ${version}" > /data/pump/settings
echo $slot > "$OTA_REBOOT_REQUIRED"
`;
}

/**
 * @param folder with the image as `system.img`; removed
 * @param archive path of the package
 * @returns `sha256:<64 hex>` of the package
 */
export async function packUpdate(
  version: string,
  folder: string,
  archive: string,
): Promise<string> {
  await writeFiles(folder, { 'install.sh': installScript(version) });
  // The kernel is compressed already: more effort would only cost time.
  await create({ gzip: { level: 1 }, cwd: folder, file: archive, portable: true }, [
    'install.sh',
    'system.img',
  ]);
  await rm(folder, { recursive: true });
  return `sha256:${await sha256(archive)}`;
}

export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
