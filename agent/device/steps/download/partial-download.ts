/** The part of a package that is on disk, and its description, by which the download is resumed. */
import { rm, stat } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { errorCode, readIfPresent, writeDurable } from '../../../files/durable-file.ts';
import { packageInfoFile } from '../../../files/state-folder.ts';
import { firstOf } from '../../network/http-client.ts';
import type { DownloadRequest } from './download-request.ts';

/** Describes a partial file, to verify that the server still has the same package. */
interface PartInfo {
  url: string;
  checksum: string;
  /** For `If-Range`: a strong ETag, else a date. */
  validator: string | null;
  /** As received; may be weak. */
  etag: string | null;
  /** Size of the whole package, where it is known. */
  total: number | null;
}

export interface Part extends PartInfo {
  size: number;
}

/** The part to resume; `null`: there is none, and nothing is left of another one. */
export async function resumablePart(job: DownloadRequest): Promise<Part | null> {
  const size = await sizeOf(job.file);
  const text = await readIfPresent(packageInfoFile(job.file));
  if (size > 0 && text !== null) {
    try {
      const info = JSON.parse(text) as PartInfo;
      if (info.checksum === job.checksum) return { ...info, size };
    } catch {
      // Unreadable: start over.
    }
  }
  await discardDownload(job.file);
  return null;
}

/** `If-Range` only for the same URL: another one has other ETags for the same file. */
export function rangeHeaders(job: DownloadRequest, part: Part): Record<string, string> {
  const condition = part.url === job.url ? part.validator : null;
  return { range: `bytes=${part.size}-`, ...(condition ? { 'if-range': condition } : {}) };
}

/** Whether the answer is a range of the package that the part belongs to: same size, same ETag. */
export function isSamePackage(
  part: Part,
  job: DownloadRequest,
  headers: IncomingHttpHeaders,
): boolean {
  const whole = Number(/\/(\d+)$/.exec(firstOf(headers['content-range']) ?? '')?.[1] ?? Number.NaN);
  if (part.total !== null && Number.isSafeInteger(whole) && whole !== part.total) return false;
  const etag = firstOf(headers.etag);
  return part.url !== job.url || part.etag === null || etag === undefined || etag === part.etag;
}

/** Durable when it resolves. */
export async function describePart(
  job: DownloadRequest,
  headers: IncomingHttpHeaders,
  total: number | null,
): Promise<void> {
  const info: PartInfo = {
    url: job.url,
    checksum: job.checksum,
    validator: validatorOf(headers),
    etag: firstOf(headers.etag) ?? null,
    total,
  };
  await writeDurable(packageInfoFile(job.file), JSON.stringify(info));
}

/** Deletes what was downloaded. */
export async function discardDownload(file: string): Promise<void> {
  await rm(file, { force: true });
  await rm(packageInfoFile(file), { force: true });
}

/** Bytes on disk; 0 when there is no file. */
export async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

function validatorOf(headers: IncomingHttpHeaders): string | null {
  const etag = firstOf(headers.etag);
  if (etag && /^"/.test(etag)) return etag;
  return etag ? null : (firstOf(headers['last-modified']) ?? null);
}
