/** Programs that some tests and demos need and npm does not install. */
import { accessSync, constants } from 'node:fs';
import path from 'node:path';

export interface Program {
  /** Possible names of the executable, or absolute paths, preferred first. */
  names: readonly string[];
  /** Environment variable that may contain its absolute path. */
  variable?: string;
  debianPackage: string;
  /** What the tests use it for. */
  purpose: string;
  /** Its package installs a boot loader, if the machine was started by EFI: for people to decide. */
  bringsBootLoader?: true;
}

export const REDIS_SERVER: Program = {
  names: ['redis-server', 'valkey-server'],
  variable: 'REDIS_SERVER_PATH',
  debianPackage: 'redis-server',
  purpose: 'the job queue on Redis',
};

export const CHROMIUM: Program = {
  names: ['chromium', 'chromium-browser', 'google-chrome'],
  variable: 'CHROMIUM_PATH',
  debianPackage: 'chromium',
  purpose: 'the pages in a browser',
};

const CURL: Program = {
  names: ['curl'],
  debianPackage: 'curl',
  purpose: 'the commands of the documentation',
};

export const OPENSSL: Program = {
  names: ['openssl'],
  debianPackage: 'openssl',
  purpose: 'downloads with expired, untrusted and self-signed certificates',
};

export const PGBOUNCER: Program = {
  names: ['pgbouncer'],
  debianPackage: 'pgbouncer',
  purpose: 'databases behind a connection pooler',
};

export const NGINX: Program = {
  // It is not in the path of every account.
  names: ['nginx', '/usr/sbin/nginx'],
  debianPackage: 'nginx',
  purpose: 'ota-server and Ops-Center behind a reverse proxy',
};

export const SETFATTR: Program = {
  names: ['setfattr'],
  debianPackage: 'attr',
  purpose: 'file capabilities and labels that an update changes',
};

export const SETFACL: Program = {
  names: ['setfacl'],
  debianPackage: 'acl',
  purpose: 'access control lists that an update changes',
};

/** The tools of boot loaders, which the adapters of the agent run. */
export const RAUC: Program = {
  names: ['rauc'],
  debianPackage: 'rauc',
  purpose: 'the boot adapter for RAUC',
};

export const DBUS_DAEMON: Program = {
  names: ['dbus-daemon'],
  debianPackage: 'dbus-daemon',
  purpose: 'the service of RAUC',
};

export const FW_SETENV: Program = {
  names: ['fw_setenv'],
  debianPackage: 'libubootenv-tool',
  purpose: 'the boot adapter for U-Boot',
};

export const GRUB_EDITENV: Program = {
  names: ['grub-editenv'],
  debianPackage: 'grub-common',
  purpose: 'the boot adapters for GRUB and RAUC',
};

export const BOOTCTL: Program = {
  names: ['bootctl'],
  debianPackage: 'systemd-boot',
  purpose: 'the boot adapter for systemd-boot',
  bringsBootLoader: true,
};

export const PROGRAMS = [
  REDIS_SERVER,
  CHROMIUM,
  CURL,
  OPENSSL,
  PGBOUNCER,
  NGINX,
  SETFATTR,
  SETFACL,
  RAUC,
  DBUS_DAEMON,
  FW_SETENV,
  GRUB_EDITENV,
  BOOTCTL,
];

/** Of `npm run demo:reboot` and `npm run test:boot`, which start a virtual machine. */
export const QEMU: Program = {
  names: ['qemu-system-x86_64'],
  debianPackage: 'qemu-system-x86',
  purpose: 'a virtual machine that reboots',
};

export const QEMU_IMG: Program = {
  names: ['qemu-img'],
  debianPackage: 'qemu-utils',
  purpose: 'the disk of the virtual machine',
};

export const MKE2FS: Program = {
  names: ['mke2fs'],
  debianPackage: 'e2fsprogs',
  purpose: 'the file systems of the virtual machine',
};

export const E2FSCK: Program = {
  names: ['e2fsck'],
  debianPackage: 'e2fsprogs',
  purpose: 'the state of its file systems',
};

export const BUSYBOX: Program = {
  names: ['busybox'],
  debianPackage: 'busybox-static',
  purpose: 'the system of the virtual machine',
};

/** The one program of the package with GRUB's modules for a BIOS. */
export const GRUB_BIOS_SETUP: Program = {
  names: ['/usr/lib/grub/i386-pc/grub-bios-setup'],
  debianPackage: 'grub-pc-bin',
  purpose: 'the boot loader of the virtual machine',
};

export const GRUB_MKIMAGE: Program = {
  names: ['grub-mkimage'],
  debianPackage: 'grub-common',
  purpose: 'the boot loader of the virtual machine',
};

export const VIRTUAL_MACHINE_PROGRAMS = [
  QEMU,
  QEMU_IMG,
  MKE2FS,
  E2FSCK,
  BUSYBOX,
  GRUB_BIOS_SETUP,
  GRUB_MKIMAGE,
  GRUB_EDITENV,
  OPENSSL,
  REDIS_SERVER,
];

/** Absolute path of the program; `null` if it is not installed. */
export function findProgram(program: Program): string | null {
  const chosen = program.variable && process.env[program.variable];
  if (chosen) return chosen;
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(Boolean);
  for (const name of program.names) {
    for (const folder of folders) {
      const candidate = path.resolve(folder, name);
      if (isExecutable(candidate)) return candidate;
    }
  }
  return null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
