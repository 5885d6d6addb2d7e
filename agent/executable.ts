/**
 * Main script of the single executable: launcher, agent and Node in one file.
 *
 * - `ota-agent launch …` is the launcher;
 * - `ota-agent /path/to/ota-agent.cjs …` runs that file, as `node` would: so the launcher starts every
 *   agent the same way, and an update of the agent does not include Node;
 * - anything else runs the agent inside.
 */
import { createRequire } from 'node:module';
import { isAbsolute } from 'node:path';

const [first = '', ...rest] = process.argv.slice(2);
if (first === 'launch') {
  void import('./launcher/command.ts').then(({ runLauncher }) =>
    runLauncher(rest, { file: process.execPath, args: [] }),
  );
} else if (isAbsolute(first) && first.endsWith('.cjs')) {
  process.argv = [process.execPath, first, ...rest];
  createRequire(first)(first);
} else {
  void import('./device/cli/main.ts');
}
