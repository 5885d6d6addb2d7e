/** The agent and its launcher as one JavaScript file each, for any Node from 20.19 on. */
import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { build } from 'esbuild';

export const ROOT = path.resolve(import.meta.dirname, '../..');

const PROGRAMS = {
  'ota-agent.cjs': 'agent/device/cli/main.ts',
  'ota-launcher.cjs': 'agent/launcher/main.ts',
  /** Goes into the executables; of no use by itself. */
  'executable.cjs': 'agent/executable.ts',
} as const;
export type BundledProgram = keyof typeof PROGRAMS;

export interface Bundle {
  file: string;
  bytes: number;
  /** Folders of the npm packages inside. */
  packages: string[];
}

/** @param folder where the file goes; its name is the program's */
export async function bundle(name: BundledProgram, folder: string): Promise<Bundle> {
  const file = path.join(folder, name);
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [PROGRAMS[name]],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    // Names stay as they are: a stack trace from a device has to be readable.
    minifyWhitespace: true,
    minifySyntax: true,
    // Node prints the line an uncaught error comes from.
    lineLimit: 200,
    legalComments: 'none',
    define: { OTA_BUILD_VERSION: JSON.stringify(await packageVersion()) },
    metafile: true,
    logLevel: 'warning',
  });
  const output = metafile.outputs[path.relative(ROOT, file)];
  if (!output) throw new Error(`esbuild did not write ${file}`);
  const packages = Object.keys(output.inputs).flatMap((input) => packageFolder(input) ?? []);
  return { file, bytes: output.bytes, packages: [...new Set(packages)].sort() };
}

/** Who wrote what is inside, and on what terms: the licences ask for that. */
export async function writeLicences(packages: string[], file: string): Promise<void> {
  const texts: string[] = [];
  for (const folder of packages) {
    const names = await readdir(path.join(ROOT, folder));
    const licence = names.find((name) => /^licen[cs]e/i.test(name));
    const { name, version, license } = JSON.parse(
      await readFile(path.join(ROOT, folder, 'package.json'), 'utf8'),
    ) as { name: string; version: string; license: string };
    const text = licence ? await readFile(path.join(ROOT, folder, licence), 'utf8') : '';
    texts.push(`${name} ${version} (${license})\n\n${text.trim()}\n`);
  }
  await writeFile(file, texts.join(`\n${'-'.repeat(80)}\n\n`));
}

async function packageVersion(): Promise<string> {
  const text = await readFile(path.join(ROOT, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function packageFolder(input: string): string | undefined {
  return /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
}
