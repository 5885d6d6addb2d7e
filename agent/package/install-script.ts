/** The script of a package: devices run it with bash, which reads plain text only. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { StepFailure } from '../kernel/errors.ts';
import { errorCode } from '../files/durable-file.ts';
import { headOf } from '../files/file-head.ts';

const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;
/** How much of the script is checked. */
const SCRIPT_HEAD_BYTES = 1024 * 1024;
/** How far below the root a misplaced `install.sh` is searched. */
const WRAPPED_DEPTH = 3;
/** What editors write before a text. */
const MARKS: [bytes: Buffer, name: string][] = [
  [Buffer.from([0xef, 0xbb, 0xbf]), 'a byte order mark'],
  [Buffer.from([0xff, 0xfe]), 'UTF-16'],
  [Buffer.from([0xfe, 0xff]), 'UTF-16'],
];

/** @throws {StepFailure} when the unpacked package has no script that devices can run */
export async function requireInstallScript(target: string): Promise<void> {
  const path = join(target, 'install.sh');
  try {
    if (!(await lstat(path)).isFile()) throw new StepFailure('install.sh is not a regular file.');
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    throw new StepFailure(await missingScript(target));
  }
  const fault = await scriptFileFault(path);
  if (fault !== null) throw new StepFailure(fault);
}

/** {@link installScriptFault} of a file. */
export async function scriptFileFault(path: string): Promise<string | null> {
  return installScriptFault(await headOf(path, SCRIPT_HEAD_BYTES));
}

/** Usually the folder was packed instead of its contents. */
async function missingScript(target: string): Promise<string> {
  const fault = 'The package has no install.sh at its root';
  const found = await findScript(target, '');
  return found === null
    ? `${fault}.`
    : `${fault}; it has ${found}install.sh. Pack what is in ${found}, not the folder itself: ota pack ${found} or tar -C ${found} -czf package.tar.gz .`;
}

/** The folder below `target`, with a slash at its end, that has an `install.sh`; `below` is where to begin. */
export async function findScript(target: string, below: string): Promise<string | null> {
  if (below.split('/').length > WRAPPED_DEPTH) return null;
  const entries = await readdir(join(target, below), { withFileTypes: true });
  if (entries.some((entry) => entry.isFile() && entry.name === 'install.sh')) return below;
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    const found = await findScript(target, `${below}${entry.name}/`);
    if (found !== null) return found;
  }
  return null;
}

/**
 * Why bash would misread the script, and what to do; `null`: no fault was found.
 * With Windows line endings `set -e` has no effect, and a failed update would end as completed.
 *
 * @param script its beginning, as far as it is checked
 */
export function installScriptFault(script: Buffer): string | null {
  if (script.length === 0) return 'install.sh is empty.';
  const mark = MARKS.find(([bytes]) => script.subarray(0, bytes.length).equals(bytes));
  if (mark) return `install.sh begins with ${mark[1]}. Save it as UTF-8 without a byte order mark.`;
  const text = textOf(script);
  if (text.length < script.length && !text.includes(LINE_FEED)) {
    return 'install.sh is a binary file; it has to be a script for bash.';
  }
  const line = lineWithReturn(text);
  if (line !== null) {
    return `install.sh has Windows line endings (line ${line}): bash would misread its commands. Convert it, for example with "sed -i 's/\\r$//' install.sh", and keep it so with "*.sh text eol=lf" in .gitattributes.`;
  }
  return null;
}

/** A script may have data after its text, which it unpacks itself. */
function textOf(script: Buffer): Buffer {
  const dataAt = script.indexOf(0);
  return dataAt === -1 ? script : script.subarray(0, dataAt);
}

/** Number of the first line that ends with a carriage return; a lone one ends a line, too, where no line feed does. */
function lineWithReturn(script: Buffer): number | null {
  const hasLineFeeds = script.includes(LINE_FEED);
  let line = 1;
  for (const [index, byte] of script.entries()) {
    if (byte === LINE_FEED) line += 1;
    else if (byte === CARRIAGE_RETURN) {
      const next = script[index + 1];
      if (next === LINE_FEED || next === undefined || !hasLineFeeds) return line;
    }
  }
  return null;
}
