/** Makes update packages, good and bad ones, entry by entry. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { Header } from 'tar';

export interface ArchiveEntry {
  path: string;
  content?: string | Buffer;
  mode?: number;
  uid?: number;
  gid?: number;
  type?:
    | 'File'
    | 'Directory'
    | 'SymbolicLink'
    | 'Link'
    | 'FIFO'
    | 'CharacterDevice'
    | 'BlockDevice'
    | 'ContiguousFile'
    | 'ExtendedHeader'
    | 'GlobalExtendedHeader';
  linkpath?: string;
  /** A size the header claims. */
  claimedSize?: number;
}

export interface Package {
  bytes: Buffer;
  /** 64 hex digits. */
  sha256: string;
}

/** A package with this install.sh and these files. */
export function makePackage(script: string, files: Record<string, string | Buffer> = {}): Package {
  return packEntries([
    { path: 'install.sh', content: script, mode: 0o755 },
    ...Object.entries(files).map(([path, content]) => ({ path, content })),
  ]);
}

export function packEntries(entries: ArchiveEntry[]): Package {
  return packageOf(gzipSync(tarOf(entries)));
}

export function packageOf(bytes: Buffer): Package {
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}

export function tarOf(entries: ArchiveEntry[]): Buffer {
  const blocks: Buffer[] = [];
  for (const entry of entries) {
    const content = Buffer.from(entry.content ?? '');
    const block = Buffer.alloc(512);
    const path = Buffer.byteLength(entry.path) > 99 ? 'long' : entry.path;
    if (path === 'long') {
      const name = Buffer.from(`${entry.path}\0`);
      const long = Buffer.alloc(512);
      new Header({
        path: '././@LongLink',
        type: 'NextFileHasLongPath',
        size: name.length,
        mode: 0o644,
      }).encode(long);
      blocks.push(long, padded(name));
    }
    new Header({
      path,
      mode: entry.mode ?? (entry.type === 'Directory' ? 0o755 : 0o644),
      uid: entry.uid ?? 0,
      gid: entry.gid ?? 0,
      size: entry.claimedSize ?? content.length,
      mtime: new Date(1_700_000_000_000),
      type: entry.type ?? 'File',
      ...(entry.linkpath ? { linkpath: entry.linkpath } : {}),
      ...(entry.type?.endsWith('Device') ? { devmaj: 1, devmin: 3 } : {}),
    }).encode(block);
    blocks.push(block, padded(content));
  }
  blocks.push(Buffer.alloc(1024));
  return Buffer.concat(blocks);
}

/** What the pax format says about the next entry, or about all of them. */
export function paxHeader(
  records: Record<string, string | Buffer>,
  type: 'ExtendedHeader' | 'GlobalExtendedHeader' = 'ExtendedHeader',
): ArchiveEntry {
  const content = Object.entries(records).map(([keyword, value]) => {
    const rest = Buffer.concat([
      Buffer.from(` ${keyword}=`),
      Buffer.from(value),
      Buffer.from('\n'),
    ]);
    let length = rest.length;
    while (String(length).length + rest.length !== length) length += 1;
    return Buffer.concat([Buffer.from(String(length)), rest]);
  });
  return { path: 'PaxHeader', type, content: Buffer.concat(content) };
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}
