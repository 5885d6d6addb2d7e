/** Mocha's root hooks: they stop the shared services after the last test and write the summary of the run. */
import { writeFile } from 'node:fs/promises';

import {
  checkedResponses,
  checkResponses,
  stopCheckingResponses,
  takeUndocumented,
} from './response-checks.ts';
import { stopTestServices } from './test-services.ts';

/** Environment variable with the file to which the summary is written, for `test/run.ts`. */
const SUMMARY_FILE = 'OTA_TEST_SUMMARY_FILE';

export interface TestSummary {
  passed: number;
  failed: number;
  skipped: number;
  /** Measurements of tests, for the last line of the run. */
  figures: string[];
}

const figures: string[] = [];

/** Appends a text to the last line of the run. */
export function addToSummary(line: string): void {
  figures.push(line);
}

/** The process must exit by itself within this time. What keeps it alive is a leak, which fails the run. */
const EXIT_LIMIT_MS = 30_000;

let stats: Mocha.Stats | undefined;

export function mochaGlobalSetup(this: Mocha.Runner): void {
  stats = this.stats;
  checkResponses();
}

/** Undocumented responses that no test has taken, with the title of the test. */
const undocumented: string[] = [];

export const mochaHooks: Mocha.RootHookObject = {
  afterEach(this: Mocha.Context) {
    const test = this.currentTest?.fullTitle() ?? 'a test';
    undocumented.push(...takeUndocumented().map((response) => `${test}: ${response}`));
  },
};

export async function mochaGlobalTeardown(): Promise<void> {
  stopCheckingResponses();
  undocumented.push(...takeUndocumented());
  console.log(`${checkedResponses()} responses were checked against the OpenAPI document`);
  const file = process.env[SUMMARY_FILE];
  if (file && stats) {
    const summary: TestSummary = {
      passed: stats.passes,
      failed: stats.failures + undocumented.length,
      skipped: stats.pending,
      figures,
    };
    await writeFile(file, JSON.stringify(summary));
  }
  await stopTestServices();
  setTimeout(() => {
    // The list also contains the pipes of stdout and stderr, which do not keep the process alive.
    const open = process.getActiveResourcesInfo().join(', ');
    console.error(`The tests have finished, but the process is kept alive by one of: ${open}`);
    process.exit(1);
  }, EXIT_LIMIT_MS).unref();
  // No test has failed because of them, so the run must.
  if (undocumented.length > 0) throw new Error(undocumented.join('\n'));
}
