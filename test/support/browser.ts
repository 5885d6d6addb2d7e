import { chromium, type Browser } from 'playwright-core';

import { CHROMIUM, findProgram } from '../../dev/programs.ts';

/** `null` if no Chromium is installed. The test then skips itself. */
export async function launchBrowser(): Promise<Browser | null> {
  const executablePath = findProgram(CHROMIUM);
  if (executablePath === null) return null;
  return chromium.launch({
    executablePath,
    // Chromium's sandbox does not run as root, which build machines often are.
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
}
