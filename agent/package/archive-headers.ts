/**
 * Extended headers of an archive: pax records, and long names as GNU tar writes them. The archive library
 * ignores what it does not support; here that is refused, since it may change the contents or the name of a
 * file.
 */

/** Keywords that change nothing for a device: names, sizes, and what is ignored anyway. */
const HARMLESS = new Set([
  'path',
  'linkpath',
  'size',
  'mtime',
  'atime',
  'ctime',
  'uid',
  'gid',
  'uname',
  'gname',
  'comment',
  'LIBARCHIVE.creationtime',
  'LIBARCHIVE.symlinktype',
  'SCHILY.dev',
  'SCHILY.ino',
  'SCHILY.nlink',
  'SCHILY.filetype',
  'SCHILY.fflags',
  'RHT.security.selinux',
]);
const HARMLESS_PREFIXES = ['SCHILY.xattr.', 'LIBARCHIVE.xattr.', 'SCHILY.acl.', 'MSWINDOWS.'];
/** How bytes that are not UTF-8 are read. */
const REPLACED = '\uFFFD';
const RECORD = /^(\d{1,10}) ([^=]+)=/;

/**
 * Why an extended header is refused; `null`: it is accepted.
 *
 * @param text a whole header, pax records or a long name, read as UTF-8
 */
export function headerFault(text: string): string | null {
  if (text.includes(REPLACED)) return NOT_UTF8;
  if (isLongName(text)) return null;
  const records = recordsOf(Buffer.from(text));
  if (!records) return 'a header of it is damaged. Build the package again, with "ota pack"';
  for (const [keyword, value] of records) {
    if (keyword.startsWith('GNU.sparse.') || keyword === 'SUN.holesdata') {
      return 'it holds files with holes (sparse). Build it with "ota pack", or with tar and without --sparse';
    }
    if (keyword === 'hdrcharset' || keyword === 'charset') {
      return 'its names are not written in UTF-8. Build it with "ota pack", or under a UTF-8 locale';
    }
    if (!HARMLESS.has(keyword) && !HARMLESS_PREFIXES.some((prefix) => keyword.startsWith(prefix))) {
      return `it uses an unsupported extension (${JSON.stringify(keyword.slice(0, 60))}). Build it with "ota pack"`;
    }
    // eslint-disable-next-line no-control-regex -- the library would cut a name there
    if (keyword === 'path' && /[\u0000\n]/.test(value))
      return 'a name in it has control characters';
  }
  return null;
}

export const NOT_UTF8 =
  'a name in it is not UTF-8. Rename the file, or build the package under a UTF-8 locale';

/** Whether a plain name was read from bytes that are not UTF-8. */
export function isNotUtf8(name: string): boolean {
  return name.includes(REPLACED);
}

/** GNU tar ends a long name with NUL, and pax each record with a line feed. */
function isLongName(text: string): boolean {
  return text.endsWith('\0') || (!text.endsWith('\n') && !RECORD.test(text));
}

/** `length keyword=value\n`, where the length is that of the whole record in bytes (POSIX, pax). */
function recordsOf(bytes: Buffer): [keyword: string, value: string][] | null {
  const records: [string, string][] = [];
  for (let at = 0; at < bytes.length;) {
    const [, digits = '', keyword = ''] = RECORD.exec(bytes.toString('utf8', at, at + 300)) ?? [];
    const end = at + Number(digits);
    const valueAt = at + digits.length + 1 + Buffer.byteLength(keyword) + 1;
    if (digits === '' || end > bytes.length || end <= valueAt || bytes[end - 1] !== 0x0a)
      return null;
    records.push([keyword, bytes.toString('utf8', valueAt, end - 1)]);
    at = end;
  }
  return records;
}
