/**
 * File capabilities, ACLs, labels and the like. Node cannot read them; the programs of the package `attr` can,
 * where it is installed.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { messageOf } from '../../kernel/errors.ts';
import { withoutOctalEscapes } from '../../files/octal-escapes.ts';

const run = promisify(execFile);
const OUTPUT_LIMIT_BYTES = 256 * 1024 * 1024;
const TIME_LIMIT_MS = 300_000;
/** Belong to the underlying file system (overlayfs), or to one inode (EVM signs its number). */
const NOT_RESTORABLE = /^(trusted\.|security\.evm$)/;
const MAX_NAMED = 5;

/** Absolute path → name → value as `0x…`; files that have none are missing. */
export type ExtendedAttributes = Record<string, Record<string, string>>;

/**
 * Of everything in and below the paths.
 * @returns `null` where nothing here can read them
 */
export async function readExtended(paths: string[]): Promise<ExtendedAttributes | null> {
  const all: ExtendedAttributes = Object.create(null) as ExtendedAttributes;
  for (const path of paths) {
    const text = await dump(path);
    if (text === null) return null;
    Object.assign(all, parseDump(text));
  }
  return all;
}

/**
 * Sets what differs, and removes what was added since. What cannot be set stays as it is, see
 * {@link describeLost}.
 */
export async function restoreExtended(wanted: ExtendedAttributes, paths: string[]): Promise<void> {
  for (const { path, name, value } of await differences(wanted, paths)) {
    const change = value === null ? ['-x', name] : ['-n', name, '-v', value];
    await run('setfattr', ['-h', ...change, '--', path], { timeout: TIME_LIMIT_MS }).catch(
      () => undefined,
    );
  }
}

/** One sentence for the report on what could not be restored; empty when everything was. */
export async function describeLost(
  wanted: ExtendedAttributes | null,
  paths: string[],
): Promise<string> {
  if (wanted === null) {
    return 'File capabilities and ACLs, if there were any, are not restored: getfattr (package attr) is not installed.';
  }
  try {
    const lost = await differences(wanted, paths);
    if (lost.length === 0) return '';
    const named = lost.slice(0, MAX_NAMED).map(({ path, name }) => `${name} of ${path}`);
    const more = lost.length > MAX_NAMED ? ` and ${lost.length - MAX_NAMED} more` : '';
    return `Not restored: ${named.join(', ')}${more}.`;
  } catch (error) {
    return `Whether file capabilities and ACLs are restored is unknown: ${messageOf(error)}.`;
  }
}

interface Difference {
  path: string;
  name: string;
  /** `null`: to be removed. */
  value: string | null;
}

async function differences(wanted: ExtendedAttributes, paths: string[]): Promise<Difference[]> {
  const found = await readExtended(paths);
  if (found === null) throw new Error('getfattr (package attr) is not installed any more');
  const result: Difference[] = [];
  for (const path of new Set([...Object.keys(wanted), ...Object.keys(found)])) {
    const [before, now] = [wanted[path] ?? {}, found[path] ?? {}];
    for (const [name, value] of Object.entries(before)) {
      if (now[name] !== value) result.push({ path, name, value });
    }
    for (const name of Object.keys(now)) {
      if (before[name] === undefined) result.push({ path, name, value: null });
    }
  }
  return result;
}

/** `null`: the program is missing, or cannot do it (BusyBox has a smaller one). */
async function dump(path: string): Promise<string | null> {
  const args = ['-R', '-P', '-h', '-d', '-m', '-', '-e', 'hex', '--absolute-names', '--', path];
  try {
    const { stdout } = await run('getfattr', args, {
      encoding: 'latin1',
      maxBuffer: OUTPUT_LIMIT_BYTES,
      timeout: TIME_LIMIT_MS,
    });
    return stdout;
  } catch (error) {
    const { stderr = '', stdout } = error as { stderr?: string; stdout?: string };
    // A missing path has none.
    return /No such file/.test(stderr) ? (stdout ?? '') : null;
  }
}

/**
 * Pure: what `getfattr -d -e hex` prints, read byte by byte as Latin-1. Bytes of names that are not printable are
 * written as `\ooo`.
 */
export function parseDump(text: string): ExtendedAttributes {
  const all: ExtendedAttributes = Object.create(null) as ExtendedAttributes;
  let attributes: Record<string, string> | null = null;
  for (const line of text.split('\n')) {
    if (line.startsWith('# file: ')) {
      attributes = {};
      all[plain(line.slice('# file: '.length))] = attributes;
      continue;
    }
    const at = line.indexOf('=');
    const name = plain(line.slice(0, at));
    if (at > 0 && attributes && !NOT_RESTORABLE.test(name)) attributes[name] = line.slice(at + 1);
  }
  return Object.fromEntries(Object.entries(all).filter(([, some]) => Object.keys(some).length > 0));
}

function plain(text: string): string {
  return Buffer.from(withoutOctalEscapes(text), 'latin1').toString();
}
