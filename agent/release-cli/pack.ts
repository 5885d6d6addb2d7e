/** `ota pack`: makes a package and its manifest from a folder. */
import { rename, rm, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { isInside } from '../files/is-inside.ts';
import { UsageError, messageOf } from '../kernel/errors.ts';
import { MANIFEST, type Manifest } from '../../backend/contract/signing/manifest.ts';
import { readStrictly } from '../../backend/contract/signing/strict-document.ts';
import { EXIT } from './exit-codes.ts';
import { writeNew } from './files.ts';
import type { Lifetime } from './lifetime.ts';
import { measurePackage, requireInstallable } from './package-check.ts';
import { REBOOT_MARK } from '../package/reboot-mark.ts';
import { type TreeEntry, listTree } from './package-tree.ts';
import { writeArchive } from './reproducible-archive.ts';

export interface PackRequest extends Lifetime {
  folder: string;
  name: string;
  version: string;
  sequence: number;
  deviceTypes: string[];
  organizationId: string | null;
  keyId: string;
  /** Requests a reboot; a text names the boot entry of the new system. */
  reboot: boolean | string;
  /** Default `name-version.tar.gz` in the working folder. */
  out: string | undefined;
  replace: boolean;
}

export interface Packed {
  archive: string;
  manifestFile: string;
  manifest: Manifest;
  /** Files of macOS, which devices do not need. */
  leftOut: string[];
}

/**
 * Leaves no file when it fails.
 * @throws {UsageError}
 */
export async function packFolder(request: PackRequest): Promise<Packed> {
  const { folder, replace } = request;
  const archive = archiveName(request);
  const manifestFile = archive.replace(/(\.tar\.gz|\.tgz)?$/, '.manifest.json');
  if (isInside(resolve(archive), resolve(folder))) {
    throw new UsageError(`--out ${archive} is in the folder to be packed.`, EXIT.usage);
  }
  if (!replace) for (const file of [archive, manifestFile]) await requireAbsent(file);
  const { entries, faults, leftOut } = await listFolder(folder);
  if (request.reboot !== false) addRebootMark(entries, faults, request.reboot);
  if (faults.length > 0) {
    throw new UsageError(
      `${folder} cannot be packed:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`,
      EXIT.refused,
    );
  }
  const files = entries.filter(({ isFolder }) => !isFolder);
  const content = {
    unpackedSize: files.reduce((sum, { size }) => sum + size, 0),
    fileCount: files.length,
  };
  const part = `${archive}.part`;
  try {
    await writeArchive(folder, entries, part);
    const measured = await measurePackage(part);
    await requireInstallable(part, measured, content);
    const manifest = manifestOf(request, measured, content);
    await writeNew(manifestFile, JSON.stringify(manifest), { replace });
    await rename(part, archive);
    return { archive, manifestFile, manifest, leftOut };
  } finally {
    await rm(part, { force: true });
  }
}

function manifestOf(
  request: PackRequest,
  measured: { size: number; sha256: string },
  content: { unpackedSize: number; fileCount: number },
): Manifest {
  const manifest: Manifest = {
    schema: 1,
    name: request.name,
    version: request.version,
    sequence: request.sequence,
    device_types: request.deviceTypes,
    organization_id: request.organizationId,
    sha256: measured.sha256,
    size: measured.size,
    unpacked_size: content.unpackedSize,
    file_count: content.fileCount,
    issued: request.issued,
    expires: request.expires,
    key_id: request.keyId,
  };
  const read = readStrictly(JSON.stringify(manifest), MANIFEST);
  if ('refused' in read) throw new UsageError(`${read.refused}.`, EXIT.usage);
  return manifest;
}

function archiveName({ name, version, out }: PackRequest): string {
  if (out) return out;
  const base = `${name}-${version}`;
  if (!/^[\w.+~-]+$/.test(base)) {
    throw new UsageError(`${base} is not a good file name: give one with --out.`, EXIT.usage);
  }
  return `${base}.tar.gz`;
}

function addRebootMark(entries: TreeEntry[], faults: string[], reboot: string | true): void {
  if (entries.some(({ path }) => path === REBOOT_MARK)) {
    faults.push(`${REBOOT_MARK} is in the folder already; leave out --reboot`);
    return;
  }
  const content = reboot === true ? '' : `${reboot}\n`;
  const size = Buffer.byteLength(content);
  entries.push({ path: REBOOT_MARK, isFolder: false, size, executable: false, content });
  entries.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
}

async function requireAbsent(file: string): Promise<void> {
  if (await stat(file).catch(() => null)) {
    throw new UsageError(`${file} already exists; --replace overwrites it.`, EXIT.usage);
  }
}

async function listFolder(folder: string): ReturnType<typeof listTree> {
  try {
    return await listTree(folder);
  } catch (error) {
    throw new UsageError(`The folder ${folder} cannot be read: ${messageOf(error)}`, EXIT.usage);
  }
}
