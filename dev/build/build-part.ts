/** Makes one part beside what is there, and puts it in place file by file. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';

import { PARTS, ROOT, type Part, type PartName } from './parts.ts';

const DIST = path.join(ROOT, 'dist');
const STAMPS = path.join(DIST, '.built');

interface Stamp {
  /** Of the inputs that the part was made from. */
  fingerprint: string;
  /** Relative to `dist`. */
  files: string[];
  /** Of earlier builds, and still there. */
  old: string[];
}

/** @returns whether anything had to be made */
export async function buildPart(name: PartName): Promise<boolean> {
  const part: Part = PARTS[name];
  const stampFile = path.join(STAMPS, `${name}.json`);
  const fingerprint = await fingerprintOf(part.inputs);
  const before = await readStamp(stampFile);
  if (
    before?.fingerprint === fingerprint &&
    before.files.every((file) => existsSync(path.join(DIST, file)))
  ) {
    return false;
  }
  await mkdir(STAMPS, { recursive: true });
  // On the same disk as its place, so that files are moved, and never half there.
  const draft = await mkdtemp(path.join(STAMPS, `${name}-`));
  try {
    await part.make(draft);
    const made = (await filesBelow(draft)).sort(
      (one, other) => Number(one === part.last) - Number(other === part.last),
    );
    const files = made.map((file) => path.join(part.into, file));
    for (const [index, file] of made.entries()) {
      await putInPlace(path.join(draft, file), path.join(DIST, files[index] ?? ''));
    }
    const earlier = [...(before?.files ?? []), ...(before?.old ?? [])];
    const old = await removeOld(
      earlier.filter((file) => !files.includes(file)),
      part.keepsOldFor ?? 0,
    );
    await writeFile(`${draft}/stamp`, JSON.stringify({ fingerprint, files, old } satisfies Stamp));
    await rename(`${draft}/stamp`, stampFile);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return true;
}

async function fingerprintOf(inputs: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(process.version);
  for (const input of inputs) {
    const at = path.join(ROOT, input);
    const files = (await stat(at)).isDirectory() ? await filesBelow(at) : [''];
    for (const file of files) {
      hash.update(`\n${path.join(input, file)}\n`).update(await readFile(path.join(at, file)));
    }
  }
  return hash.digest('hex');
}

/** Relative to the folder, in a fixed order. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}

async function readStamp(file: string): Promise<Stamp | null> {
  const text = await readFile(file, 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as Stamp);
}

/** What did not change stays as it is, with its time: browsers and watchers go by that. */
async function putInPlace(made: string, place: string): Promise<void> {
  const [now, old] = await Promise.all([readFile(made), readFile(place).catch(() => null)]);
  if (old?.equals(now)) return;
  await mkdir(path.dirname(place), { recursive: true });
  await rename(made, place);
}

/**
 * What earlier builds made and this one did not. The stamp remembers it until it is removed, so that it is
 * removed some time, too, where a part keeps it for a while.
 */
async function removeOld(old: string[], keepMs: number): Promise<string[]> {
  const kept: string[] = [];
  for (const file of old) {
    const place = path.join(DIST, file);
    const found = await lstat(place).catch(() => null);
    if (found && Date.now() - found.mtimeMs < keepMs) kept.push(file);
    else await rm(place, { force: true });
  }
  return kept;
}
