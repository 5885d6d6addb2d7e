/**
 * The Node binaries of the executables, and of `npm run node24`. They are packages of the npm registry,
 * fetched with npm's own client into a cache when they are needed: an ordinary installation does not pay
 * for them.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

import { extract } from 'tar';

import { NODE_VERSION, type NodePackage, nodePackages } from './node-packages.ts';

const run = promisify(execFile);
const CACHE = path.resolve(import.meta.dirname, '../../node_modules/.cache/ota-node');

export type Processor = keyof typeof nodePackages;

/** Of this machine. */
export function ownProcessor(): Processor {
  const { platform, arch } = process;
  if (platform === 'linux' && arch in nodePackages) return arch as Processor;
  throw new Error(`This needs Linux on ${Object.keys(nodePackages).join(' or ')}.`);
}

export function nodeFolder(processor: Processor): string {
  return path.join(CACHE, `${nodePackages[processor].name}-${NODE_VERSION}`);
}

/** Path of the binary in the cache. Fetches it if it is not there. */
export async function nodeBinary(processor: Processor): Promise<string> {
  const folder = nodeFolder(processor);
  const binary = path.join(folder, 'bin/node');
  const here = await readFile(path.join(folder, 'package.json')).catch(() => null);
  if (!here) await fetchNode(nodePackages[processor], folder);
  return binary;
}

async function fetchNode({ name, sha512 }: NodePackage, folder: string): Promise<void> {
  const fresh = `${folder}.${process.pid}`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { recursive: true });
  try {
    await run('npm', ['pack', `${name}@${NODE_VERSION}`, '--pack-destination', fresh]);
    const archive = path.join(fresh, `${name}-${NODE_VERSION}.tgz`);
    const actual = createHash('sha512')
      .update(await readFile(archive))
      .digest('base64');
    if (actual !== sha512) {
      throw new Error(`${name}@${NODE_VERSION} has SHA-512 ${actual}, not ${sha512} as it had.`);
    }
    const wanted = ['package/bin/node', 'package/LICENSE', 'package/package.json'];
    await extract({ file: archive, cwd: fresh, strip: 1, strict: true }, wanted);
    await rm(archive);
    await rm(folder, { recursive: true, force: true });
    await rename(fresh, folder);
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}
