/**
 * `npm run bench`: measures the product on this machine. Browser tests measure the figures of the page, with
 * the real server.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';

import { Command, Option } from 'commander';

import { measureAgent } from './agent/measure-agent.ts';
import { FIGURES_FILE, type Figure } from './figure.ts';
import { PAGE_MEASURING_TESTS } from './page.ts';
import { measureForecasts } from './server/forecast.ts';
import {
  HISTORY_TOPIC,
  measureServer,
  SERVER_TOPICS,
  type ServerTopic,
} from './server/measure-server.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

const SERVER_PARTS = [...SERVER_TOPICS, HISTORY_TOPIC] as const;
const PARTS = [...SERVER_PARTS, 'forecast', 'agent', 'page'] as const;
/** Values of `--only`; `server` means all of {@link SERVER_TOPICS}. */
const CHOICES = ['server', ...PARTS] as const;
const BY_DEFAULT: (typeof CHOICES)[number][] = ['server', 'forecast', 'agent', 'page'];
type Part = (typeof PARTS)[number];

const program = new Command('bench')
  .description('Measures the product on this machine')
  .option('--json', 'print one JSON object per figure', false)
  .addOption(
    new Option('--only <parts...>', 'what to measure; server: all server topics but history')
      .choices(CHOICES)
      .default(BY_DEFAULT, 'all but history'),
  )
  .option(
    '--memory-hours <hours>',
    'hours of traffic of a million devices in the memory test',
    Number,
    0.1,
  )
  .option('--profile <folder>', 'write CPU profiles of the servers during polls and reports');
program.parse();
const { json, only, memoryHours, profile } = program.opts<{
  json: boolean;
  only: (typeof CHOICES)[number][];
  memoryHours: number;
  profile?: string;
}>();

if (!json)
  console.log(
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, Node.js ${process.version}\n`,
  );
for await (const figure of measure()) {
  if (json) console.log(JSON.stringify(figure));
  else print(figure);
}

async function* measure(): AsyncGenerator<Figure> {
  const parts = new Set<Part>(
    only.flatMap((choice) => (choice === 'server' ? SERVER_TOPICS : [choice])),
  );
  const topics = new Set<ServerTopic>(SERVER_PARTS.filter((topic) => parts.has(topic)));
  if (topics.size > 0) {
    const profiles = profile === undefined ? null : path.resolve(profile);
    yield* measureServer({ topics, memoryHours, profiles });
  }
  if (parts.has('forecast')) yield* measureForecasts();
  if (parts.has('agent')) yield* await measureAgent();
  if (parts.has('page')) yield* await measurePage();
}

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
    // Standard output is for figures only.
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

function print({ name, value, unit, ratio, against, goal, met }: Figure): void {
  const comparison = ratio === null ? '' : `${ratio} × ${against}`;
  console.log(
    `${met ? '✔' : '✖'} ${name.padEnd(64)} ${`${value} ${unit}`.padStart(14)}  ` +
      `${comparison.padEnd(36)} goal ${goal}`,
  );
}
