/** Installs and downloads Debian packages for tests and demos, in containers and on build machines. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { type Program, findProgram } from './programs.ts';

const run = promisify(execFile);

/** Debian runs this script to find out whether it may start a service. 101 means no. */
const POLICY_FILE = '/usr/sbin/policy-rc.d';
const UPDATE_LIMIT_MS = 120_000;
const INSTALL_LIMIT_MS = 300_000;
const OUTPUT_LIMIT_BYTES = 64 * 1024 * 1024;
const APT_OPTIONS = [
  '-qq',
  '-o',
  'Acquire::Retries=2',
  '-o',
  'Acquire::http::Timeout=20',
  '-o',
  'DPkg::Lock::Timeout=60',
];

/**
 * Installs the packages of the programs that are missing, if this process may do so.
 * @param purpose for the message
 * @returns the programs that are still missing
 */
export async function installMissing(
  programs: readonly Program[],
  purpose: string,
): Promise<Program[]> {
  const absent = programs.filter((program) => findProgram(program) === null);
  if (absent.length === 0 || !canInstall()) return absent;
  const harmless = absent.filter(isHarmless);
  const names = [...new Set(harmless.map((program) => program.debianPackage))];
  if (names.length === 0) return absent;
  console.log(`Installing ${names.join(' and ')} for ${purpose} …`);
  try {
    await installPackages(names);
  } catch (error) {
    console.error(`apt-get could not install ${names.join(' and ')}:\n${String(error)}`);
  }
  return absent.filter((program) => findProgram(program) === null);
}

/** Installing a boot loader would change what this machine starts. */
function isHarmless({ bringsBootLoader }: Program): boolean {
  return !bringsBootLoader || !existsSync('/sys/firmware/efi');
}

/** Names of the available packages that match. Loads the package lists if there are none. */
export async function findPackages(name: RegExp): Promise<string[]> {
  const known = await matchingNames(name);
  if (known.length > 0 || !canInstall()) return known;
  await aptGet(['update'], UPDATE_LIMIT_MS);
  return matchingNames(name);
}

/** Downloads a package into the folder without installing it. Returns the path of its file. */
export async function downloadPackage(name: string, folder: string): Promise<string> {
  try {
    await aptGet(['download', name], INSTALL_LIMIT_MS, folder);
  } catch (error) {
    if (!canInstall()) throw error;
    // The archive may have replaced the package since the lists were loaded.
    await aptGet(['update'], UPDATE_LIMIT_MS);
    await aptGet(['download', name], INSTALL_LIMIT_MS, folder);
  }
  const file = (await readdir(folder)).find((one) => one.startsWith(`${name}_`));
  if (!file) throw new Error(`apt-get download ${name} left no file in ${folder}`);
  return path.join(folder, file);
}

/** Unpacks a package's files into the folder, and removes the package. */
export async function unpack(file: string, folder: string): Promise<void> {
  await run('dpkg-deb', ['-x', file, folder]);
  await rm(file);
}

/** Whether the process is root on a Debian-like system. */
function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
}

/** Installs the packages without starting their services. */
async function installPackages(packages: readonly string[]): Promise<void> {
  await withoutServices(async () => {
    await aptGet(['update'], UPDATE_LIMIT_MS);
    await aptGet(['install', '-y', '--no-install-recommends', ...packages], INSTALL_LIMIT_MS);
  });
}

async function matchingNames(name: RegExp): Promise<string[]> {
  const { stdout } = await run('apt-cache', ['pkgnames'], { maxBuffer: OUTPUT_LIMIT_BYTES });
  return stdout.split('\n').filter((one) => name.test(one));
}

async function aptGet(args: readonly string[], timeout: number, cwd?: string): Promise<void> {
  await run('apt-get', [...APT_OPTIONS, ...args], {
    timeout,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    maxBuffer: OUTPUT_LIMIT_BYTES,
    ...(cwd && { cwd }),
  });
}

async function withoutServices(work: () => Promise<void>): Promise<void> {
  const created = await writeFile(POLICY_FILE, '#!/bin/sh\nexit 101\n', {
    mode: 0o755,
    flag: 'wx',
  }).then(
    () => true,
    () => false,
  );
  try {
    await work();
  } finally {
    if (created) await rm(POLICY_FILE);
  }
}
