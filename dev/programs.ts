/** Programs that some tests need and npm does not install. */
import { accessSync, constants } from 'node:fs';
import path from 'node:path';

export interface Program {
  /** Possible names of the executable, preferred first. */
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

const OPENSSL: Program = {
  names: ['openssl'],
  debianPackage: 'openssl',
  purpose: 'downloads with expired, untrusted and self-signed certificates',
};

export const PGBOUNCER: Program = {
  names: ['pgbouncer'],
  debianPackage: 'pgbouncer',
  purpose: 'databases behind a connection pooler',
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
  SETFATTR,
  SETFACL,
  RAUC,
  DBUS_DAEMON,
  FW_SETENV,
  GRUB_EDITENV,
  BOOTCTL,
];

/** Absolute path of the program; `null` if it is not installed. */
export function findProgram(program: Program): string | null {
  const chosen = program.variable && process.env[program.variable];
  if (chosen) return chosen;
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(Boolean);
  for (const name of program.names) {
    for (const folder of folders) {
      const candidate = path.join(folder, name);
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
