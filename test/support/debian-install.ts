/** Installs Debian packages for the tests, in containers and on build machines. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Debian runs this script to find out whether it may start a service. 101 means no. */
const POLICY_FILE = '/usr/sbin/policy-rc.d';
const UPDATE_LIMIT_MS = 120_000;
const INSTALL_LIMIT_MS = 300_000;
const APT_OPTIONS = [
  '-qq',
  '-o',
  'Acquire::Retries=2',
  '-o',
  'Acquire::http::Timeout=20',
  '-o',
  'DPkg::Lock::Timeout=60',
];

/** Whether the process is root on a Debian-like system. */
export function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
}

/** Installs the packages without starting their services. */
export async function installPackages(packages: readonly string[]): Promise<void> {
  await withoutServices(async () => {
    await aptGet(['update'], UPDATE_LIMIT_MS);
    await aptGet(['install', '-y', '--no-install-recommends', ...packages], INSTALL_LIMIT_MS);
  });
}

async function aptGet(args: readonly string[], timeout: number): Promise<void> {
  await run('apt-get', [...APT_OPTIONS, ...args], {
    timeout,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    maxBuffer: 64 * 1024 * 1024,
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
