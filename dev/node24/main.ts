/**
 * `npm run node24 -- COMMAND…`: runs a command with Node.js 24, whichever Node.js this machine has. Every
 * `node`, `npm` and `npx` that the command starts uses it as well.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { promisify } from 'node:util';

import { nodeBinary, ownProcessor } from '../shipping/node-binary.ts';
import { NODE_VERSION } from '../shipping/node-packages.ts';

const [command, ...args] = process.argv.slice(2);
if (command === undefined) {
  console.error('Usage: npm run node24 -- COMMAND…');
  process.exit(2);
}

const folder = path.dirname(await nodeBinary(ownProcessor()));
const env = {
  ...process.env,
  PATH: `${folder}${path.delimiter}${process.env.PATH ?? ''}`,
  // test/repository/node-version.test.ts fails with any other.
  OTA_TEST_NODE_VERSION: `v${NODE_VERSION}`,
};
const { stdout: version } = await promisify(execFile)('node', ['--version'], { env });
console.log(`Node.js ${version.trim()}: ${[command, ...args].join(' ')}`);

const child = spawn(command, args, { env, stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
const [code] = (await once(child, 'exit')) as [number | null];
process.exitCode = code ?? 1;
