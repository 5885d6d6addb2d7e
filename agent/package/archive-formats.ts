/** File formats that are mistaken for packages, recognized by their first bytes. */
import { StepFailure } from '../kernel/errors.ts';
import { headOf } from '../files/file-head.ts';

const GZIP = '\u001f\u008b';
const ZSTD = '\u0028\u00b5\u002f\u00fd';
const OTHER_FORMATS: { name: string; magic: string; at?: number }[] = [
  { name: 'a zip archive', magic: 'PK\u0003\u0004' },
  { name: 'compressed with xz', magic: '\u00fd7zXZ\u0000' },
  { name: 'compressed with zstd', magic: ZSTD },
  { name: 'compressed with bzip2', magic: 'BZh' },
  { name: 'a 7-Zip archive', magic: '7z\u00bc\u00af\u0027\u001c' },
  { name: 'a Debian package', magic: '!<arch>\n' },
  { name: 'an RPM package', magic: '\u00ed\u00ab\u00ee\u00db' },
  { name: 'a tar archive without compression', magic: 'ustar', at: 257 },
];
const FORMAT_HEAD_BYTES = 512;

/** Whether the archive library would decompress what begins so. */
export function isDecompressedByLibrary(head: Buffer): boolean {
  const text = head.toString('latin1');
  return [GZIP, ZSTD].some((magic) => text.startsWith(magic));
}

/** @throws {StepFailure} naming the format of the file when it is not a package */
export async function refuseOtherFormats(file: string): Promise<void> {
  const head = (await headOf(file, FORMAT_HEAD_BYTES)).toString('latin1');
  if (head.startsWith(GZIP)) return;
  const other = OTHER_FORMATS.find(({ magic, at = 0 }) => head.startsWith(magic, at));
  if (!other) return;
  throw new StepFailure(
    `The file is ${other.name}, not a package: packages are .tar.gz files, as "ota pack" makes them.`,
  );
}
