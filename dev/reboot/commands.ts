/** Runs programs of this machine that build disks. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { type Program, findProgram } from '../programs.ts';

const run = promisify(execFile);

/**
 * @param program name, or one of `dev/programs.ts`
 * @returns what it printed
 * @throws Error with its output if it fails or is missing
 */
export async function runProgram(
  program: Program | string,
  args: readonly string[],
): Promise<string> {
  const file = typeof program === 'string' ? program : pathOf(program);
  const { stdout } = await run(file, args, { maxBuffer: 16 * 1024 * 1024 });
  return stdout;
}

/** @throws Error that names the Debian package if the program is missing */
export function pathOf(program: Program): string {
  const file = findProgram(program);
  if (file !== null) return file;
  const [name] = program.names;
  throw new Error(`${name} is missing: install the Debian package ${program.debianPackage}.`);
}
