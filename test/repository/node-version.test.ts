import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { expect } from 'chai';

import { ROOT } from '../support/repository.ts';

const run = promisify(execFile);
/** Set by `npm run node24`. */
const requested = process.env.OTA_TEST_NODE_VERSION;

describe('the tests run with one version of Node.js', () => {
  it('the requested one', () => {
    expect(process.version).to.equal(requested ?? process.version);
  });

  for (const [how, command, ...args] of [
    ['by its name', 'node', '--version'],
    ['by a script of the package', 'npm', 'exec', '--call', 'node --version'],
  ] as const) {
    it(`also in processes that start it ${how}`, async () => {
      const { stdout } = await run(command, args, { cwd: ROOT });
      expect(stdout.trim()).to.equal(process.version);
    });
  }
});
