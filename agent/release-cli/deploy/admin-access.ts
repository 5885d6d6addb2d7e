/** How commands get the admin token, and how they print that the server refused a request. */
import { UsageError } from '../../kernel/errors.ts';
import { EXIT } from '../exit-codes.ts';
import { readLine } from '../files.ts';
import type { Refused } from './admin-api.ts';

/**
 * The admin token. It is not an option of the command line, which every user of the machine can read.
 *
 * @throws {UsageError}
 */
export async function readToken(file: string | undefined): Promise<string> {
  const token = file ? await readLine(file, 'The token file') : process.env['OTA_TOKEN'];
  if (token && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new UsageError(
    'An admin token is needed, on one line: in OTA_TOKEN, or in a file named with --token-file.',
    EXIT.usage,
  );
}

export function printRefusal({ status, problem, message }: Refused, json: boolean): void {
  const { code, errors = [] } = problem;
  if (json)
    console.log(JSON.stringify({ event: 'refused', ...problem, status, exit_code: EXIT.refused }));
  console.error(`The server refused: ${status}${code ? ` ${code}` : ''}: ${message}`);
  for (const fault of errors) {
    console.error(`  - ${fault.path ? `${fault.path}: ` : ''}${fault.message}`);
  }
}
