/** Mocha's root: ends what the tests made use of, once, after the last of them, and says how they went. */
import { writeFile } from 'node:fs/promises';

import {
  checkAnswers,
  checkedAnswers,
  stopCheckingAnswers,
  takeWrongAnswers,
} from './checked-answers.ts';
import { stopTestServices } from './test-services.ts';

/** Environment variable: the file that takes the figures of the run, for `test/run.ts`. */
const SUMMARY_FILE = 'OTA_TEST_SUMMARY_FILE';

export interface TestSummary {
  passed: number;
  failed: number;
  skipped: number;
  /** What tests measured, for the last line of the run. */
  figures: string[];
}

const figures: string[] = [];

/** Has the last line of the run end with these figures, too. */
export function tellAtTheEnd(line: string): void {
  figures.push(line);
}

/** After the last test everything comes to rest by itself; what does not is a leak, and a failure. */
const REST_LIMIT_MS = 30_000;

let stats: Mocha.Stats | undefined;

export function mochaGlobalSetup(this: Mocha.Runner): void {
  stats = this.stats;
  checkAnswers();
}

/** Wrong answers that no test looked at, with the test they were given to. */
const wrong: string[] = [];

export const mochaHooks: Mocha.RootHookObject = {
  afterEach(this: Mocha.Context) {
    const test = this.currentTest?.fullTitle() ?? 'a test';
    wrong.push(...takeWrongAnswers().map((answer) => `${test}: ${answer}`));
  },
};

export async function mochaGlobalTeardown(): Promise<void> {
  stopCheckingAnswers();
  wrong.push(...takeWrongAnswers());
  console.log(`${checkedAnswers()} answers were held to the OpenAPI document`);
  const file = process.env[SUMMARY_FILE];
  if (file && stats) {
    const summary: TestSummary = {
      passed: stats.passes,
      failed: stats.failures + wrong.length,
      skipped: stats.pending,
      figures,
    };
    await writeFile(file, JSON.stringify(summary));
  }
  await stopTestServices();
  setTimeout(() => {
    const open = process.getActiveResourcesInfo().join(', ');
    console.error(`The tests are over, but something was left open: ${open}`);
    process.exit(1);
  }, REST_LIMIT_MS).unref();
  // Nobody may have looked at them; the run fails all the same.
  if (wrong.length > 0) throw new Error(wrong.join('\n'));
}
