import { accessSync, constants } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

const DEFAULT_PATH = '/usr/bin/chromium';

/** Where Chromium is, `CHROMIUM_PATH` first; `null`: not on this machine. */
export function chromiumPath(): string | null {
  const file = process.env['CHROMIUM_PATH'] ?? DEFAULT_PATH;
  try {
    accessSync(file, constants.X_OK);
    return file;
  } catch {
    return null;
  }
}

/** Starts Chromium without a window and with a profile of its own, which goes when it is closed. */
export function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
