/**
 * `npm run build:agent`: agent and launcher as one JavaScript file each. `npm run build:executables`:
 * both and Node as one executable for each processor.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';

import { Command } from 'commander';

import { ROOT, bundle, writeLicences } from './bundle.ts';
import { type Processor, buildExecutables } from './executable.ts';
import { nodePackages } from './node-packages.ts';

const program = new Command('shipping').description('Makes what goes onto devices');
program.command('bundles').action(async () => {
  const bundles = [await bundle('ota-agent.cjs'), await bundle('ota-launcher.cjs')];
  const packages = [...new Set(bundles.flatMap((one) => one.packages))];
  await writeLicences(packages, path.join(ROOT, 'dist/agent/LICENSES.txt'));
  for (const { file, bytes } of bundles) tell(file, bytes);
});
program.command('executables').action(async () => {
  const processors = Object.keys(nodePackages) as Processor[];
  for (const file of await buildExecutables(processors)) tell(file, (await stat(file)).size);
});
await program.parseAsync();

function tell(file: string, bytes: number): void {
  console.log(`${path.relative(ROOT, file)}  ${(bytes / 1e6).toFixed(1)} MB`);
}
