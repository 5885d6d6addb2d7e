/** Makes and checks ext4 file systems in files. */
import { E2FSCK, MKE2FS } from '../programs.ts';
import { runProgram } from './commands.ts';

/**
 * A file system with the contents of a folder, owned by root.
 * @param offset where it begins in the file
 */
export async function makeFileSystem(
  file: string,
  folder: string,
  bytes: number,
  offset = 0,
): Promise<void> {
  await runProgram(MKE2FS, [
    ...['-q', '-F', '-t', 'ext4', '-b', '4096', '-d', folder],
    ...['-E', `root_owner=0:0,offset=${offset}`, file, `${bytes / 1024}k`],
  ]);
}

/** @throws Error with what is wrong with the file system at this offset; it must have been unmounted */
export async function checkFileSystem(file: string, offset: number): Promise<void> {
  await runProgram(E2FSCK, ['-f', '-n', `${file}?offset=${offset}`]);
}
