/**
 * `npm run bench`: what the product costs, measured on the machine at hand. The figures of the page
 * come from its browser tests, which measure against the real server while they check.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';

import { Command, Option } from 'commander';

import { measureAgent } from './agent.ts';
import { FIGURES_FILE, type Figure } from './figure.ts';
import { PAGE_MEASURING_TESTS } from './page.ts';
import { measureServer } from './server/measure-server.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

const AREAS = ['server', 'agent', 'page'] as const;
type Area = (typeof AREAS)[number];

const program = new Command('bench')
  .description('Measures the product on this machine')
  .option('--json', 'one JSON object a line, for machines', false)
  .addOption(new Option('--only <areas...>', 'what to measure').choices(AREAS).default([...AREAS]))
  .option(
    '--memory-hours <hours>',
    'of a million devices, for the memory of the server',
    Number,
    0.1,
  );
program.parse();
const { json, only, memoryHours } = program.opts<{
  json: boolean;
  only: Area[];
  memoryHours: number;
}>();

const measurements: Record<Area, () => Promise<Figure[]>> = {
  server: () => measureServer({ memoryHours }),
  agent: measureAgent,
  page: measurePage,
};
const figures: Figure[] = [];
for (const area of AREAS) if (only.includes(area)) figures.push(...(await measurements[area]()));
if (json) for (const figure of figures) console.log(JSON.stringify(figure));
else print(figures);

async function measurePage(): Promise<Figure[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'ota-bench-'));
  try {
    const file = path.join(folder, 'figures.jsonl');
    const status = await runTests(file);
    if (status !== 0) process.exitCode = 1;
    return await readFigures(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runTests(file: string): Promise<number> {
  const mocha = path.join(ROOT, 'node_modules/mocha/bin/mocha.js');
  const run = spawn(process.execPath, [mocha, ...PAGE_MEASURING_TESTS], {
    cwd: ROOT,
    env: { ...process.env, [FIGURES_FILE]: file },
    // Only the figures go to standard output.
    stdio: ['ignore', process.stderr, process.stderr],
  });
  const [status] = (await once(run, 'exit')) as [number | null];
  return status ?? 1;
}

async function readFigures(file: string): Promise<Figure[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Figure);
}

function print(figures: Figure[]): void {
  console.log(`\n${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}\n`);
  for (const { name, value, unit, ratio, against, goal, holds } of figures) {
    const beside = ratio === null ? '' : `${ratio} × ${against}`;
    console.log(
      `${holds ? '✔' : '✖'} ${name.padEnd(64)} ${`${value} ${unit}`.padStart(14)}  ` +
        `${beside.padEnd(36)} goal ${goal}`,
    );
  }
}
