/** Launcher, agent and Node as one executable (Node's single-executable form), for each processor. */
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';

import { ROOT, bundle, writeLicences } from './bundle.ts';
import { type Processor, nodeBinary, nodeFolder, ownProcessor } from './node-binary.ts';

const run = promisify(execFile);
const OUTPUT = path.join(ROOT, 'dist/executables');
/** Node looks for this mark; the value is part of its documentation. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
const BLOB = 'NODE_SEA_BLOB';
/**
 * The agent waits most of the time, so memory matters more than speed: small heap, no compilers beyond the
 * interpreter, no cache for code that is compiled twice, and no background threads for garbage collection.
 * WebAssembly still works.
 */
const V8_FLAGS = [
  '--optimize-for-size',
  '--single-threaded',
  '--no-sparkplug',
  '--no-maglev',
  '--no-opt',
  '--no-compilation-cache',
];

function executablePath(processor: Processor, folder = OUTPUT): string {
  return path.join(folder, `ota-agent-linux-${processor}`);
}

/**
 * Makes the executables of these processors.
 * @param folder where they go
 * @returns their paths
 */
export async function buildExecutables(
  processors: readonly Processor[],
  folder = OUTPUT,
): Promise<string[]> {
  const work = path.join(folder, 'executable-parts');
  await mkdir(work, { recursive: true });
  try {
    const { packages } = await bundle('executable.cjs', work);
    const blob = await makeBlob(work);
    for (const processor of processors) {
      await inject(blob, await nodeBinary(processor), executablePath(processor, folder));
    }
    const licences = path.join(folder, 'LICENSES.txt');
    await writeLicences([...packages, path.relative(ROOT, nodeFolder('x64'))], licences);
    return processors.map((processor) => executablePath(processor, folder));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The blob must be made by the very Node version it goes into; without code cache it fits every processor. */
async function makeBlob(work: string): Promise<string> {
  const config = path.join(work, 'sea-config.json');
  const output = path.join(work, 'agent.blob');
  const main = path.join(work, 'executable.cjs');
  await writeFile(
    config,
    JSON.stringify({ main, output, disableExperimentalSEAWarning: true, execArgv: V8_FLAGS }),
  );
  await run(await nodeBinary(ownProcessor()), ['--experimental-sea-config', config]);
  return output;
}

async function inject(blob: string, node: string, target: string): Promise<void> {
  const unfinished = `${target}.new`;
  await copyFile(node, unfinished);
  await chmod(unfinished, 0o755);
  const postject = createRequire(import.meta.url).resolve('postject/dist/cli.js');
  await run(process.execPath, [postject, unfinished, BLOB, blob, '--sentinel-fuse', FUSE]);
  await rename(unfinished, target);
}
