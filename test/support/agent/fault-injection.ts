/**
 * Loaded into the agent with `--import`; counts what the agent does to the disk and at a chosen
 * point kills it or lets the disk be full. The agent itself knows nothing of it.
 *
 * - `FAULT_KILL_AT=n`: SIGKILL instead of the n-th change of the disk.
 * - `FAULT_KILL_AT_COMMAND=n`: SIGKILL right after the n-th command was started, which lives on.
 * - `FAULT_KILL_STEP=step`, `FAULT_KILL_WHEN=before|after`: SIGKILL before or after the journal takes
 *   that step.
 * - `FAULT_LOSE_UNFLUSHED=1`: a kill empties every file that was written and not flushed, as a power cut
 *   may; what the script wrote counts as flushed after `sync`.
 * - `FAULT_BOOT_LOADER=path,path`: the files of a boot loader that survives power cuts: with
 *   `FAULT_LOSE_UNFLUSHED`, what commands wrote to them since the last `sync` is undone.
 * - `FAULT_NO_SPACE=text`: every write to a path that contains the text answers ENOSPC.
 * - `FAULT_NO_SPACE_FROM=n`: from the n-th change of the disk on, every write answers ENOSPC.
 * - `FAULT_COUNT_FILE=path`: the number of changes and commands so far is there, as JSON.
 */
import childProcess from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { syncBuiltinESMExports } from 'node:module';

const killAt = Number(process.env.FAULT_KILL_AT ?? Number.NaN);
const killAtCommand = Number(process.env.FAULT_KILL_AT_COMMAND ?? Number.NaN);
const killStep = process.env.FAULT_KILL_STEP;
const killBefore = process.env.FAULT_KILL_WHEN === 'before';
const noSpace = process.env.FAULT_NO_SPACE;
const noSpaceFrom = Number(process.env.FAULT_NO_SPACE_FROM ?? Number.POSITIVE_INFINITY);
const loseUnflushed = process.env.FAULT_LOSE_UNFLUSHED === '1';
const bootLoader = (process.env.FAULT_BOOT_LOADER ?? '').split(',').filter(Boolean);
const countFile = process.env.FAULT_COUNT_FILE;
// Agents started by scripts must not inherit the fault.
for (const name of Object.keys(process.env))
  if (name.startsWith('FAULT_')) delete process.env[name];

let changes = 0;
let commands = 0;
const { writeFileSync, writeSync, rmSync } = fs;
const { readFileSync, readdirSync, lstatSync, truncateSync, existsSync } = fs;

/** Files whose content may still be in memory only. */
const unflushed = new Set<string>();
/** Set while the script's writes may still be in memory only. */
let script: { root: string; since: number } | null = null;
/** The boot loader's files as they were flushed last, if a command may have changed them since. */
let flushedBootLoader: Map<string, Buffer | null> | null = null;

function losePower(): void {
  if (script) {
    for (const file of filesBelow(script.root)) {
      if (lstatSync(file).ctimeMs >= script.since) unflushed.add(file);
    }
  }
  for (const file of unflushed) if (existsSync(file)) truncateSync(file);
  for (const [file, content] of flushedBootLoader ?? []) {
    if (content === null) rmSync(file, { force: true });
    else writeFileSync(file, content);
  }
}

function contentOf(file: string): Buffer | null {
  return existsSync(file) ? readFileSync(file) : null;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(full);
    return entry.isFile() ? [full] : [];
  });
}

function die(): never {
  if (loseUnflushed) losePower();
  writeSync(2, 'killed by the fault injection\n');
  process.kill(process.pid, 'SIGKILL');
  for (;;);
}

function count(): void {
  changes++;
  writeCounts();
  if (changes === killAt) die();
}

/** Each time: the agent may be killed by the reboot that it requests. */
function writeCounts(): void {
  if (countFile) writeFileSync(countFile, JSON.stringify({ changes, commands }));
}

function journalStep(path: unknown): string | null {
  try {
    const file = JSON.parse(readFileSync(String(path), 'utf8')) as {
      state: { active: { step: string } | null };
    };
    return file.state.active?.step ?? 'none';
  } catch {
    return null;
  }
}

function full(path: unknown): void {
  if ((noSpace && String(path).includes(noSpace)) || changes >= noSpaceFrom) {
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), {
      code: 'ENOSPC',
      syscall: 'write',
    });
  }
}

type AnyFunction = (...args: unknown[]) => unknown;
const promises = fs.promises as unknown as Record<string, AnyFunction>;

for (const name of [
  'rm',
  'mkdir',
  'symlink',
  'lchown',
  'lutimes',
  'writeFile',
  'chmod',
  'rename',
]) {
  const real = promises[name] as AnyFunction;
  promises[name] = async (...args: unknown[]) => {
    count();
    if (name === 'writeFile' || name === 'mkdir') full(args[0]);
    const step =
      name === 'rename' && String(args[1]).endsWith('journal.json') ? journalStep(args[0]) : null;
    if (step !== null && step === killStep && killBefore) die();
    const result = await real(...args);
    if (name === 'rename' && unflushed.delete(String(args[0]))) unflushed.add(String(args[1]));
    if (step !== null && step === killStep && !killBefore) die();
    return result;
  };
}

const copyFile = promises.copyFile as AnyFunction;
promises.copyFile = async (...args: unknown[]) => {
  count();
  full(args[1]);
  unflushed.add(String(args[1]));
  return copyFile(...args);
};

const open = promises.open as AnyFunction;
promises.open = async (...args: unknown[]) => {
  const writes = typeof args[1] === 'string' && args[1] !== 'r';
  if (writes) count();
  const handle = (await open(...args)) as Record<string, AnyFunction>;
  for (const name of ['write', 'writeFile', 'sync', 'chmod', 'chown', 'utimes']) {
    const real = (handle[name] as AnyFunction).bind(handle);
    handle[name] = async (...rest: unknown[]) => {
      count();
      if (name.startsWith('write')) {
        full(args[0]);
        unflushed.add(String(args[0]));
      }
      const result = await real(...rest);
      if (name === 'sync') unflushed.delete(String(args[0]));
      return result;
    };
  }
  return handle;
};

// What the archive library uses.
const callbacks = fs as unknown as Record<string, AnyFunction>;
for (const name of ['open', 'mkdir', 'write', 'writev']) {
  const real = callbacks[name] as AnyFunction;
  callbacks[name] = (...args: unknown[]) => {
    count();
    if (name === 'open' || name === 'mkdir') {
      try {
        full(args[0]);
      } catch (error) {
        const done = args.at(-1) as (error: unknown) => void;
        setImmediate(() => done(error));
        return undefined;
      }
    }
    if (name === 'open' && /[wax+]/.test(String(args[1]))) unflushed.add(String(args[0]));
    return real(...args);
  };
}

const spawn = childProcess.spawn as unknown as AnyFunction;
(childProcess as unknown as Record<string, AnyFunction>).spawn = (...args: unknown[]) => {
  const [file, words, options] = args as [string, string[], { env: Record<string, string> }];
  if (file !== 'sync') {
    flushedBootLoader ??= new Map(bootLoader.map((path) => [path, contentOf(path)]));
  }
  const child = spawn(...args) as childProcess.ChildProcess;
  if (words.includes('install.sh')) {
    script = { root: String(options.env.OTA_ROOT), since: Date.now() - 10 };
  }
  if (file === 'sync') {
    child.on('exit', () => {
      script = null;
      unflushed.clear();
      flushedBootLoader = null;
    });
  }
  commands++;
  writeCounts();
  if (commands === killAtCommand) die();
  return child;
};

syncBuiltinESMExports();

writeCounts();
