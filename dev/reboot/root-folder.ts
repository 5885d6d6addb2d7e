/** Folders that become file systems of the virtual machine, filled with programs of this machine. */
import { chmod, copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { BUSYBOX } from '../programs.ts';
import { pathOf, runProgram } from './commands.ts';

/** Files by path relative to the folder. Scripts, recognized by their first line, become executable. */
export async function writeFiles(root: string, files: Record<string, string>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(root, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
    if (content.startsWith('#!')) await chmod(file, 0o755);
  }
}

/** The folders of a Linux system, with all programs in `usr`. */
export async function layOut(root: string): Promise<void> {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    await mkdir(path.join(root, 'usr', name), { recursive: true });
    await symlink(`usr/${name}`, path.join(root, name));
  }
  for (const name of ['dev', 'proc', 'sys', 'run', 'tmp', 'boot', 'data']) {
    await mkdir(path.join(root, name));
  }
}

/** BusyBox, which needs no libraries, under the names of all its programs. */
export async function addBusybox(root: string): Promise<void> {
  const busybox = path.join(root, 'bin/busybox');
  await mkdir(path.dirname(busybox), { recursive: true });
  await copyFile(pathOf(BUSYBOX), busybox);
  const names = (await runProgram(BUSYBOX, ['--list'])).split('\n').filter(Boolean);
  for (const name of names) {
    if (name !== 'busybox') await symlink('busybox', path.join(root, 'bin', name));
  }
  await mkdir(path.join(root, 'sbin'), { recursive: true });
  await symlink('/bin/busybox', path.join(root, 'sbin/init'));
}

/** A program of this machine. Its libraries are added by {@link addLibraries}. */
export async function addProgram(root: string, file: string): Promise<void> {
  await copyFile(file, path.join(root, 'usr/bin', path.basename(file)));
}

/** The libraries that programs of this machine load, at the same paths, and their loader. */
export async function addLibraries(root: string, programs: readonly string[]): Promise<void> {
  const files = new Set<string>();
  for (const program of programs) {
    const output = await runProgram('ldd', [program]);
    for (const [, file] of output.matchAll(/(?:=>\s+|^\s+)(\/\S+)/gm)) files.add(file ?? '');
  }
  for (const file of files) {
    await mkdir(path.dirname(path.join(root, file)), { recursive: true });
    await copyFile(file, path.join(root, file));
  }
}
