/** The initial RAM disk: loads the drivers of the virtual machine, and starts the system of a slot. */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

import { BUSYBOX } from '../programs.ts';
import { pathOf } from './commands.ts';
import type { Kernel } from './kernels.ts';
import { addBusybox, writeFiles } from './root-folder.ts';

/** In the order in which they have to be loaded. */
const DRIVERS = [
  'virtio_ring',
  'virtio',
  'virtio_pci_legacy_dev',
  'virtio_pci_modern_dev',
  'virtio_pci',
  'virtio_blk',
  'failover',
  'net_failover',
  'virtio_net',
];

const INIT = `#!/bin/sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
for driver in ${DRIVERS.join(' ')}; do insmod /drivers/$driver.ko; done
root=$(sed -n 's/.*root=\\([^ ]*\\).*/\\1/p' /proc/cmdline)
mount -t ext4 -o ro "$root" /root
mount --move /dev /root/dev
umount /proc
exec switch_root /root /sbin/init
`;

/**
 * @param folder for the contents; must be empty
 * @param file to be written
 */
export async function buildInitialRamDisk(
  kernel: Kernel,
  folder: string,
  file: string,
): Promise<void> {
  await writeFiles(folder, { init: INIT });
  for (const name of ['dev', 'proc', 'root', 'drivers']) {
    await mkdir(path.join(folder, name), { recursive: true });
  }
  await addBusybox(folder);
  const modules = await readdir(kernel.modules, { recursive: true });
  for (const driver of DRIVERS) {
    const found = modules.find((name) => path.basename(name) === `${driver}.ko`);
    if (!found) throw new Error(`${kernel.release} has no module ${driver}`);
    await copyFile(path.join(kernel.modules, found), path.join(folder, 'drivers', `${driver}.ko`));
  }
  await writeFile(file, await promisify(gzip)(await archive(folder), { level: 1 }));
}

/** The folder in the format that the kernel unpacks. */
async function archive(folder: string): Promise<Buffer> {
  const names = (await readdir(folder, { recursive: true })).sort();
  const packing = promisify(execFile)(pathOf(BUSYBOX), ['cpio', '-o', '-H', 'newc', '-R', '0:0'], {
    cwd: folder,
    encoding: 'buffer',
    maxBuffer: 64 * 1024 * 1024,
  });
  packing.child.stdin?.end(names.map((name) => `${name}\n`).join(''));
  return (await packing).stdout;
}
