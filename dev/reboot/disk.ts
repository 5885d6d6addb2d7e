/**
 * The disk of the virtual machine: GRUB for a BIOS, and four partitions: GRUB's configuration and environment,
 * two slots for the system, and the data that both systems use. The agent is on the last one.
 */
import { copyFile, mkdir, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { GRUB_BIOS_SETUP, GRUB_EDITENV, GRUB_MKIMAGE } from '../programs.ts';
import { pathOf, runProgram } from './commands.ts';
import { makeFileSystem } from './file-system.ts';
import { writeFiles } from './root-folder.ts';
import { SLOT_BYTES } from './system-image.ts';

const MIB = 1024 * 1024;
const SECTOR_BYTES = 512;
const LINUX_PARTITION = 0x83;
/** The first partition begins here; GRUB's core image is in front of it. */
const FIRST_OFFSET = MIB;

const SIZES = { boot: 16 * MIB, slotA: SLOT_BYTES, slotB: SLOT_BYTES, data: 640 * MIB };
export type Partition = keyof typeof SIZES;
const PARTITIONS = Object.keys(SIZES) as Partition[];

/** What GRUB needs before it can read a partition, and what `grub.cfg` uses. */
const GRUB_MODULES = [
  ...['biosdisk', 'part_msdos', 'ext2', 'normal', 'linux'],
  ...['loadenv', 'test', 'echo', 'serial'],
];

/** As `grub-mkconfig` writes it with `GRUB_DEFAULT=saved`, and `fallback`. */
const GRUB_CONFIG = `serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
load_env
if [ "\${next_entry}" ]; then
  set default="\${next_entry}"
  set next_entry=
  save_env next_entry
else
  set default="\${saved_entry}"
fi
# By number: GRUB does not find the fallback by its id.
if [ "\${saved_entry}" = slot-b ]; then
  set fallback=1
else
  set fallback=0
fi
set timeout=0
${menuEntry('a', 2)}
${menuEntry('b', 3)}
`;

function menuEntry(slot: string, partition: number): string {
  return `menuentry 'Pump, slot ${slot.toUpperCase()}' --id slot-${slot} {
  echo GRUB starts slot-${slot}
  linux (hd0,msdos${partition})/usr/lib/kernel/vmlinuz root=/dev/vda${partition} ota.entry=slot-${slot} ro console=ttyS0 panic=1
  initrd (hd0,msdos${partition})/usr/lib/kernel/initrd.img
}`;
}

export interface DiskContents {
  /** Image of the system in slot A. Slot B is empty. */
  system: string;
  /** Folder with the contents of the data partition. */
  data: string;
}

/** @param folder for intermediate files */
export async function buildDisk(
  file: string,
  { system, data }: DiskContents,
  folder: string,
): Promise<void> {
  await writeFile(file, '');
  await truncate(file, offsetOf('data') + SIZES.data);
  await installGrub(file, folder);
  const boot = path.join(folder, 'boot');
  await writeFiles(boot, { 'grub/grub.cfg': GRUB_CONFIG });
  const environment = path.join(boot, 'grub/grubenv');
  await runProgram(GRUB_EDITENV, [environment, 'create']);
  await runProgram(GRUB_EDITENV, [environment, 'set', 'saved_entry=slot-a']);
  await makeFileSystem(file, boot, SIZES.boot, offsetOf('boot'));
  await makeFileSystem(file, data, SIZES.data, offsetOf('data'));
  await writeAt(file, await readFile(system), offsetOf('slotA'));
  await rm(boot, { recursive: true });
}

/** Where the partition begins, in bytes. */
export function offsetOf(partition: Partition): number {
  const before = PARTITIONS.slice(0, PARTITIONS.indexOf(partition));
  return before.reduce((offset, name) => offset + SIZES[name], FIRST_OFFSET);
}

/** Boot sector, partition table, and the core image behind it: what `grub-install` writes. */
async function installGrub(file: string, folder: string): Promise<void> {
  const modules = path.dirname(pathOf(GRUB_BIOS_SETUP));
  const core = path.join(folder, 'core.img');
  await mkdir(folder, { recursive: true });
  await runProgram(GRUB_MKIMAGE, [
    ...['--format', 'i386-pc', '--directory', modules, '--prefix', '(hd0,msdos1)/grub'],
    ...['--output', core, ...GRUB_MODULES],
  ]);
  const sector = Buffer.alloc(SECTOR_BYTES);
  // The bytes after these belong to the partition table.
  (await readFile(path.join(modules, 'boot.img'))).copy(sector, 0, 0, 440);
  writePartitionTable(sector);
  await writeAt(file, sector, 0);
  await writeAt(file, await readFile(core), SECTOR_BYTES);
  await rm(core);
}

function writePartitionTable(sector: Buffer): void {
  for (const [index, partition] of PARTITIONS.entries()) {
    const entry = 446 + index * 16;
    sector.writeUInt8(LINUX_PARTITION, entry + 4);
    sector.writeUInt32LE(offsetOf(partition) / SECTOR_BYTES, entry + 8);
    sector.writeUInt32LE(SIZES[partition] / SECTOR_BYTES, entry + 12);
  }
  sector.writeUInt16LE(0xaa55, 510);
}

async function writeAt(file: string, content: Buffer, offset: number): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.write(content, 0, content.length, offset);
  } finally {
    await handle.close();
  }
}

export interface DeliveredData {
  /** Path of the shipped executable. */
  agent: string;
  /** Path of the certificate that the device trusts. */
  authority: string;
  config: object;
  registrationToken: string;
  version: string;
}

/** The data partition of a device as it is delivered. */
export async function writeDeliveredData(folder: string, data: DeliveredData): Promise<void> {
  await writeFiles(folder, {
    'etc/agent.env': 'export OTA_AGENT_CONFIG=/data/etc/agent.json PATH=/usr/bin:/usr/sbin\n',
    'etc/agent.json': `${JSON.stringify(data.config, null, 2)}\n`,
    'etc/registration-token': data.registrationToken,
    'pump/settings': `settings of ${data.version}\n`,
  });
  await copyFile(data.authority, path.join(folder, 'etc/authority.pem'));
  await mkdir(path.join(folder, 'bin'));
  await copyFile(data.agent, path.join(folder, 'bin/ota-agent'));
}
