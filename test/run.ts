/**
 * `npm test`: installs the programs that some tests need if it can, runs Mocha with the given arguments
 * (by default on all test files), and prints a summary in the last line.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { installMissing } from '../dev/debian-packages.ts';
import { PROGRAMS, type Program } from '../dev/programs.ts';
import type { TestSummary } from './support/root-hooks.ts';

/** Takes too long for `npm test`; runs when it is named. */
const ON_REQUEST = 'test/system/boot/**';

const inContinuousIntegration = process.env.CI === 'true';

async function main(): Promise<number> {
  const missing = await installMissing(PROGRAMS, 'the tests');
  const { exitCode, summary } = await runMocha(process.argv.slice(2));
  for (const program of missing) warnAbout(program);
  console.log(summaryLine(summary));
  if (exitCode !== 0) return exitCode;
  return missing.length > 0 && inContinuousIntegration ? 1 : 0;
}

function warnAbout({ names, purpose, debianPackage, variable }: Program): void {
  const mark = '!'.repeat(80);
  const alternative = variable ? ` or set ${variable}` : '';
  console.error(
    `${mark}\nNOT TESTED: ${purpose}. ${names.join(' / ')} is missing and could not be installed;\n` +
      `install the package "${debianPackage}"${alternative}.\n${mark}`,
  );
}

async function runMocha(
  args: string[],
): Promise<{ exitCode: number; summary: TestSummary | null }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'ops-center-test-run-'));
  const summaryFile = path.join(folder, 'summary.json');
  const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');
  const everything = args.some((arg) => arg.endsWith('.test.ts'))
    ? []
    : ['--ignore', ON_REQUEST, 'test/**/*.test.ts'];
  const strict = inContinuousIntegration ? ['--forbid-only'] : [];
  const child = spawn(process.execPath, [mocha, ...strict, ...args, ...everything], {
    cwd: path.resolve(import.meta.dirname, '..'),
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, OTA_TEST_SUMMARY_FILE: summaryFile },
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => child.kill(signal));
  }
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  const summary = await readFile(summaryFile, 'utf8').then(
    (text) => JSON.parse(text) as TestSummary,
    () => null,
  );
  await rm(folder, { recursive: true });
  if (summary === null) {
    console.error(
      `Mocha exited before the tests finished, with ${signal ?? `exit status ${code ?? '?'}`}.`,
    );
  }
  return { exitCode: code ?? 1, summary };
}

function summaryLine(summary: TestSummary | null): string {
  if (summary === null) return '0 passed, 1 failed';
  const { passed, failed, skipped, figures } = summary;
  const counts = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  return [counts, ...figures].join('; ');
}

process.exitCode = await main();
