/** A version of the device's system: an image for one of its two slots, with kernel and initial RAM disk. */
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { GRUB_EDITENV } from '../programs.ts';
import { pathOf } from './commands.ts';
import { makeFileSystem } from './file-system.ts';
import { buildInitialRamDisk } from './initial-ram-disk.ts';
import type { Kernel } from './kernels.ts';
import { addBusybox, addLibraries, addProgram, layOut, writeFiles } from './root-folder.ts';

export const SLOT_BYTES = 48 * 1024 * 1024;

export interface SystemVersion {
  /** E.g. `v2.1.0`. */
  version: string;
  kernel: Kernel;
  /**
   * `unhealthy`: it starts, but its health check fails. `panics`: its initial RAM disk is damaged, so the
   * kernel finds no file system and panics. `no-kernel`: GRUB finds none.
   */
  fault?: 'unhealthy' | 'panics' | 'no-kernel';
}

/** BusyBox is init. It starts the agent and the reporter again whenever they end. */
const INITTAB = `::sysinit:/etc/init.d/start
::respawn:/etc/init.d/agent
::respawn:/etc/init.d/reporter
::shutdown:/bin/umount -a -r
`;

/** On its first start the device registers itself with the token that it was delivered with. */
const START = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mount -t ext4 /dev/vda1 /boot
mount -t ext4 /dev/vda4 /data
ip link set lo up
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up
. /data/etc/agent.env
if [ -e /data/etc/registration-token ]; then
  OTA_REGISTRATION_TOKEN=$(cat /data/etc/registration-token) /data/bin/ota-agent register \\
    --hardware-id virtual-machine --firmware-version "$(cat /etc/pump-version)" &&
    rm /data/etc/registration-token
fi
echo "PUMP STARTED $(cat /etc/pump-version)"
`;

const AGENT = `#!/bin/sh
. /data/etc/agent.env
exec /data/bin/ota-agent launch --state-dir /data/ota-agent
`;

/** Answers each line on the second serial port with the state of the device, as JSON in one line. */
const REPORTER = `#!/bin/sh
exec < /dev/ttyS1 > /dev/ttyS1
stty raw -echo
parameter() { sed -n "s/.*$1=\\([^ ]*\\).*/\\1/p" /proc/cmdline; }
# Past the cache, in which a mounted file system has changed its superblock.
digest() { dd if="$(parameter root)" bs=1M iflag=direct 2> /dev/null | sha256sum | cut -d ' ' -f 1; }
echo READY
while read -r request; do
  [ "$request" = poweroff ] && poweroff
  printf '{"system":"%s","kernel":"%s","slot":"%s","image":"%s","recorded":"%s","settings":"%s"}\\n' \\
    "$(cat /etc/pump-version)" "$(uname -r)" "$(parameter ota.entry)" "$(digest)" \\
    "$(cat /data/ota-agent/current-version)" "$(cat /data/pump/settings)"
done
`;

/** The health check. The settings have to be those of the same version. */
const SELF_TEST = `#!/bin/sh
[ "$(cat /data/pump/settings)" = "settings of $(cat /etc/pump-version)" ] || exit 1
[ ! -e /etc/unhealthy ] || { echo "the pump does not turn"; exit 1; }
`;

/**
 * @param agent the shipped executable, for the libraries that it needs
 * @param folder for intermediate files
 * @param image path of the image
 */
export async function buildSystemImage(
  { version, kernel, fault }: SystemVersion,
  agent: string,
  folder: string,
  image: string,
): Promise<void> {
  const root = path.join(folder, 'root');
  const ramDisk = path.join(folder, 'ram-disk');
  await mkdir(root, { recursive: true });
  await mkdir(ramDisk);
  await layOut(root);
  await addBusybox(root);
  const programs = ['/bin/bash', pathOf(GRUB_EDITENV)];
  for (const program of programs) await addProgram(root, program);
  await addLibraries(root, [...programs, agent]);
  await writeFiles(root, {
    'etc/inittab': INITTAB,
    'etc/init.d/start': START,
    'etc/init.d/agent': AGENT,
    'etc/init.d/reporter': REPORTER,
    'etc/pump-version': `${version}\n`,
    'usr/bin/pump-self-test': SELF_TEST,
    ...(fault === 'unhealthy' && { 'etc/unhealthy': '' }),
  });
  const kernelFolder = path.join(root, 'usr/lib/kernel');
  await mkdir(kernelFolder);
  if (fault !== 'no-kernel') await copyFile(kernel.image, path.join(kernelFolder, 'vmlinuz'));
  const ramDiskFile = path.join(kernelFolder, 'initrd.img');
  if (fault === 'panics') await writeFile(ramDiskFile, 'not a RAM disk\n'.repeat(1_000));
  else await buildInitialRamDisk(kernel, ramDisk, ramDiskFile);
  await makeFileSystem(image, root, SLOT_BYTES);
  for (const used of [root, ramDisk]) await rm(used, { recursive: true });
}
