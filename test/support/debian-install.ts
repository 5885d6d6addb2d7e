/** Installs Debian packages for the tests, on machines where that is nobody else's business. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Debian asks this script whether a service may be started; 101 means no. */
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

/** Root on a Debian-like system: a container or a build machine. */
export function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
}

/** Installs the packages without starting any service of theirs. */
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
  const ours = await writeFile(POLICY_FILE, '#!/bin/sh\nexit 101\n', {
    mode: 0o755,
    flag: 'wx',
  }).then(
    () => true,
    () => false,
  );
  try {
    await work();
  } finally {
    if (ours) await rm(POLICY_FILE);
  }
}
