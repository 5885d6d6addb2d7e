/** What `npm run build` makes, from which files, and by which program. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';

import { LIBRARIES, librarySource } from '../../backend/server/page/libraries.ts';

export const ROOT = path.resolve(import.meta.dirname, '../..');
const TSX = createRequire(import.meta.url).resolve('tsx/cli');

/** What ota-server's shell runs in browsers. */
const SHELL_IN_BROWSER = 'backend/server/page/browser';

/** A page that was opened before a build still asks for its chunks; nobody's is open for longer. */
const CHUNKS_KEPT_MS = 24 * 3_600_000;

export interface Part {
  /** Files and folders, relative to {@link ROOT}, that the result depends on. */
  inputs: readonly string[];
  /** Below `dist`. Never emptied: a process that runs may still read or serve what is there. */
  into: string;
  /** A file that is put in place last, since it names the others; below {@link into}. */
  last?: string;
  /** Milliseconds that files of earlier builds are kept; default: none. */
  keepsOldFor?: number;
  /** Makes everything in `folder`. Rejects when the program fails; it has said why. */
  make(folder: string): Promise<void>;
}

/** What every part depends on: the tools themselves, by their versions. */
const TOOLS = ['package.json', 'package-lock.json', 'tsconfig.json', 'dev/build'];

export const PARTS = {
  node: {
    inputs: [
      ...TOOLS,
      'tsconfig.build.json',
      ...['backend', 'jobs', 'migrations'],
      ...['kernel', 'files', 'package', 'release-cli'].map((folder) => `agent/${folder}`),
    ],
    into: '.',
    make: (folder) =>
      run('node_modules/typescript/bin/tsc', ['-p', 'tsconfig.build.json', '--outDir', folder]),
  },
  agent: {
    inputs: [...TOOLS, 'agent', 'backend/contract', 'dev/shipping'],
    into: 'agent',
    make: (folder) => run(TSX, ['dev/shipping/main.ts', 'bundles', folder]),
  },
  page: {
    inputs: [...TOOLS, 'frontend', 'backend/contract'],
    into: 'frontend',
    last: 'page.js',
    keepsOldFor: CHUNKS_KEPT_MS,
    make: (folder) =>
      run('node_modules/vite/bin/vite.js', [
        'build',
        '--config',
        'frontend/vite.config.ts',
        '--outDir',
        folder,
      ]),
  },
  shell: {
    inputs: [...TOOLS, 'backend/server/page/libraries.ts', SHELL_IN_BROWSER],
    into: 'backend/server/page',
    make: copyShell,
  },
} as const satisfies Record<string, Part>;

export type PartName = keyof typeof PARTS;

/** Beside the compiled code, which finds it there as in the source. The libraries are no dependencies of the package. */
async function copyShell(folder: string): Promise<void> {
  await cp(path.join(ROOT, SHELL_IN_BROWSER), path.join(folder, 'browser'), { recursive: true });
  const vendor = path.join(folder, 'vendor');
  await mkdir(vendor);
  const licences = await Promise.all(
    LIBRARIES.map(async (library) => {
      const { script, licence } = librarySource(library);
      await cp(script, path.join(vendor, `${library}.js`));
      return `${library}\n\n${(await readFile(licence, 'utf8')).trim()}\n`;
    }),
  );
  await writeFile(path.join(vendor, 'LICENSES.txt'), licences.join('\n\n'));
}

async function run(program: string, args: string[]): Promise<void> {
  const child = spawn(process.execPath, [program, ...args], { cwd: ROOT, stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0)
    throw new Error(`${path.basename(program)} ended with exit status ${code ?? '?'}`);
}
