import { chromium, type Browser } from 'playwright-core';

import { CHROMIUM, findProgram } from '../../dev/programs.ts';

/** `null` where no Chromium is installed: the test skips itself. */
export async function launchBrowser(): Promise<Browser | null> {
  const executablePath = findProgram(CHROMIUM);
  if (executablePath === null) return null;
  return chromium.launch({
    executablePath,
    // Chromium's sandbox refuses to run as root, as which build machines run.
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
}
