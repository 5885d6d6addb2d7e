/** Two Debian kernels for virtual machines, downloaded once. */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';

import { downloadPackage, findPackages, unpack } from '../debian-packages.ts';

const CACHE = path.resolve(import.meta.dirname, '../../node_modules/.cache/ota-kernels');
/** `linux-image-cloud-amd64` of Debian 12 depends on the newest of these. */
const KERNEL_PACKAGE = /^linux-image-(6\.1\.0-(\d+)-cloud-amd64)$/;

export interface Kernel {
  /** What `uname -r` prints, e.g. `6.1.0-56-cloud-amd64`. */
  release: string;
  /** Path of the compressed kernel. */
  image: string;
  /** Folder of its modules. */
  modules: string;
}

export interface KernelPair {
  old: Kernel;
  new: Kernel;
}

/**
 * The two newest cloud kernels of Debian 12, from the cache if they are there.
 * @throws Error if apt does not know two of them
 */
export async function twoKernels(): Promise<KernelPair> {
  const found = await findPackages(KERNEL_PACKAGE);
  const revision = (name: string) => Number(KERNEL_PACKAGE.exec(name)?.[2]);
  const [newest, previous] = found.sort((a, b) => revision(b) - revision(a));
  if (!newest || !previous) {
    throw new Error(
      'apt knows fewer than two packages linux-image-6.1.0-*-cloud-amd64: the machine needs ' +
        'the package sources of Debian 12, with its security updates.',
    );
  }
  return { old: await fetchKernel(previous), new: await fetchKernel(newest) };
}

async function fetchKernel(name: string): Promise<Kernel> {
  const folder = path.join(CACHE, name);
  const release = KERNEL_PACKAGE.exec(name)?.[1] ?? name;
  const kernel: Kernel = {
    release,
    image: path.join(folder, 'boot', `vmlinuz-${release}`),
    modules: path.join(folder, 'lib/modules', release, 'kernel'),
  };
  const cached = await readdir(folder).catch(() => null);
  if (cached) return kernel;
  const fresh = `${folder}.${process.pid}`;
  await mkdir(fresh, { recursive: true });
  try {
    await unpack(await downloadPackage(name, fresh), fresh);
    await rename(fresh, folder);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return kernel;
}
