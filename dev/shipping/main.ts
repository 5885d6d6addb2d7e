/**
 * For `npm run build`: agent and launcher as one JavaScript file each. `npm run build:executables`:
 * both and Node as one executable for each processor.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';

import { Command } from 'commander';

import { ROOT, bundle, writeLicences } from './bundle.ts';
import { buildExecutables } from './executable.ts';
import type { Processor } from './node-binary.ts';
import { nodePackages } from './node-packages.ts';

const program = new Command('shipping').description('Makes what goes onto devices');
program
  .command('bundles')
  .argument('<folder>')
  .action(async (folder: string) => {
    const bundles = [
      await bundle('ota-agent.cjs', folder),
      await bundle('ota-launcher.cjs', folder),
    ];
    const packages = [...new Set(bundles.flatMap((one) => one.packages))];
    await writeLicences(packages, path.join(folder, 'LICENSES.txt'));
    for (const { file, bytes } of bundles) tell(path.basename(file), bytes);
  });
program.command('executables').action(async () => {
  const processors = Object.keys(nodePackages) as Processor[];
  for (const file of await buildExecutables(processors))
    tell(path.relative(ROOT, file), (await stat(file)).size);
});
await program.parseAsync();

function tell(file: string, bytes: number): void {
  console.log(`${file}  ${(bytes / 1e6).toFixed(1)} MB`);
}
