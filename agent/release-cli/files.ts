/** Files the command reads and writes, with errors for its users. */
import { readFile, writeFile } from 'node:fs/promises';
import { errorCode } from '../files/durable-file.ts';
import { UsageError, messageOf } from '../kernel/errors.ts';
import { EXIT } from './exit-codes.ts';

/**
 * @param what e.g. `The manifest`
 * @throws {UsageError}
 */
export async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${what} ${path} cannot be read: ${messageOf(error)}`, EXIT.usage);
  }
}

/** The same without the line feed that editors and shells add; for one-line files. */
export async function readLine(path: string, what: string): Promise<string> {
  return (await readText(path, what)).replace(/\r?\n$/, '');
}

/**
 * Overwrites only with `replace`.
 * @throws {UsageError}
 */
export async function writeNew(
  path: string,
  content: string,
  { mode = 0o644, replace = false }: { mode?: number; replace?: boolean } = {},
): Promise<void> {
  try {
    await writeFile(path, content, { mode, flag: replace ? 'w' : 'wx' });
  } catch (error) {
    const why = errorCode(error) === 'EEXIST' ? 'it already exists' : messageOf(error);
    throw new UsageError(`${path} is not written: ${why}.`, EXIT.usage);
  }
}
