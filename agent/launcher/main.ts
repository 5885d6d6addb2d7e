#!/usr/bin/env node
/** The command `ota-launcher`: what the service manager starts. */
import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runLauncher } from './command.ts';

const self = realpathSync(process.argv[1] ?? '.');
void runLauncher(process.argv.slice(2), {
  file: process.execPath,
  args: [join(dirname(self), 'ota-agent.cjs')],
});
