/** The agent under test as one JavaScript file, made once a run: starts far faster than through tsx. */
import { rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Made anew by every test run, so that no run tests what another one compiled. */
const outputFolder = (): string =>
  join(repository, 'dist', 'agent-under-test', String(process.pid));
process.on('exit', () => rmSync(outputFolder(), { recursive: true, force: true }));

const repository = join(dirname(fileURLToPath(import.meta.url)), '../../..');
let built: Promise<string> | null = null;

/** Path of the program, its packages included. */
export function agentProgram(): Promise<string> {
  built ??= compileProgram('agent/device/cli/main.ts', 'main.js');
  return built;
}

let killer: Promise<string> | null = null;

/** Path of a module for `--import` that ends or disturbs the agent from inside; see `fault-injection.ts`. */
export function faultInjection(): Promise<string> {
  killer ??= compileProgram('test/support/agent/fault-injection.ts', 'fault-injection.js');
  return killer;
}

/** @returns path of one JavaScript file that needs nothing beside it */
export async function compileProgram(source: string, name: string): Promise<string> {
  const outfile = join(outputFolder(), name);
  await mkdir(dirname(outfile), { recursive: true });
  await build({
    entryPoints: [join(repository, source)],
    outfile,
    bundle: true,
    // Packages of the older kind ask for `require`, which a module does not have.
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
    platform: 'node',
    format: 'esm',
    target: 'node20',
  });
  return outfile;
}
