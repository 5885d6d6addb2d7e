/**
 * `npm run bench`: what the product costs, measured on the machine at hand. The figures of the page
 * come from its browser tests, which measure against the real server while they check.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';

import { Command } from 'commander';

import { measureAgent } from './agent.ts';
import { FIGURES_FILE, type Figure } from './figure.ts';
import { PAGE_MEASURING_TESTS } from './page.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const MEASURING_TESTS = [...PAGE_MEASURING_TESTS];

const program = new Command('bench')
  .description('Measures the product on this machine')
  .option('--json', 'one JSON object a line, for machines', false);
program.parse();
const { json } = program.opts<{ json: boolean }>();

const folder = await mkdtemp(path.join(tmpdir(), 'ota-bench-'));
try {
  const file = path.join(folder, 'figures.jsonl');
  const status = await measure(file);
  const figures = [...(await measureAgent()), ...(await readFigures(file))];
  if (json) for (const figure of figures) console.log(JSON.stringify(figure));
  else print(figures);
  process.exitCode = status === 0 && figures.length > 0 ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function measure(file: string): Promise<number> {
  const mocha = path.join(ROOT, 'node_modules/mocha/bin/mocha.js');
  const run = spawn(process.execPath, [mocha, ...MEASURING_TESTS], {
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
  for (const { name, value, unit, goal, holds } of figures) {
    console.log(
      `${holds ? '✔' : '✖'} ${name.padEnd(56)} ${`${value} ${unit}`.padStart(16)}   goal ${goal}`,
    );
  }
}
