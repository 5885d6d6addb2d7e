/**
 * `npm run demo:reboot`: takes a virtual machine with the shipped agent and GRUB through updates that reboot
 * it, and cuts its power at random moments.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Command } from 'commander';

import { Cleanup } from '../demo/cleanup.ts';
import { printResults } from './report.ts';
import { planPowerCuts, requireVirtualMachine } from './requirements.ts';
import { type ScenarioResult, Scenarios } from './scenarios.ts';
import { TestBench } from './test-bench.ts';

const program = new Command('reboot-demo')
  .description('Updates a virtual machine, which reboots into each new version')
  .option('--console', 'print the console of the machine', false);
program.parse();

const cleanup = new Cleanup();
const interrupted = cleanup.onInterrupt();
try {
  process.exitCode = await Promise.race([demo(program.opts<{ console: boolean }>()), interrupted]);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await cleanup.run();
}

async function demo({ console: showConsole }: { console: boolean }): Promise<number> {
  const begin = performance.now();
  await requireVirtualMachine();
  const folder = await mkdtemp(path.join(tmpdir(), 'ota-reboot-'));
  cleanup.add(() => rm(folder, { recursive: true, force: true }));
  console.log('Building a disk with GRUB and the shipped agent, and starting the machine …');
  const bench = await TestBench.start(folder, cleanup);
  if (showConsole) bench.machine.on('line', (line) => console.log(line));

  const results: ScenarioResult[] = [];
  const add = (result: ScenarioResult): void => {
    results.push(result);
    const { name, target, device, version } = result;
    console.log(
      `${name}: ${version.version} ${target.status}, ${device.system} runs on ${device.kernel}`,
    );
  };
  const scenarios = new Scenarios(bench);
  const healthy = await scenarios.healthy();
  add(healthy);
  add(await scenarios.unhealthy());
  add(await scenarios.panics());
  add(await scenarios.withoutKernel());
  add(await scenarios.cutAfterCompletion());
  const { count, seed } = planPowerCuts(process.env);
  console.log(`${count} power cuts (OTA_POWER_CUT_SEED=${seed} repeats them) …`);
  for await (const result of scenarios.powerCuts(count, seed, healthy.phases.total)) add(result);
  await bench.checkDisk();

  printResults(results);
  const agree = results.every(({ disagreements }) => disagreements.length === 0);
  console.log(
    `\n${agree ? 'Device and Ops-Center agree after each update.' : 'Device and Ops-Center do NOT agree.'} ` +
      `e2fsck found no error. (${Math.round((performance.now() - begin) / 1_000)} s)`,
  );
  return agree ? 0 : 1;
}
