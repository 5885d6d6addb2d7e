/** A page of the documentation, whose commands the tests run unchanged. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './repository.ts';

const run = promisify(execFile);

export class DocPage {
  private constructor(readonly text: string) {}

  /** @param file relative to the repository, e.g. `docs/agent.md` */
  static async read(file: string): Promise<DocPage> {
    return new DocPage(await readFile(path.join(ROOT, file), 'utf8'));
  }

  /** The fenced code blocks of this language, in order. */
  blocks(language: string): string[] {
    const fences = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm');
    return [...this.text.matchAll(fences)].map((match) => match[1] ?? '');
  }

  /** The only code block of this language that contains the text. */
  block(language: string, containing: string): string {
    const found = this.blocks(language).filter((block) => block.includes(containing));
    const [block] = found;
    if (!block || found.length > 1) {
      throw new Error(`${found.length} ${language} blocks with "${containing}", expected one`);
    }
    return block;
  }
}

/** Placeholders and addresses in a page, and their values in the test. */
export type Replacements = Record<string, string>;

export function fillIn(text: string, replacements: Replacements): string {
  return Object.entries(replacements).reduce(
    (filled, [placeholder, value]) => filled.replaceAll(placeholder, value),
    text,
  );
}

/**
 * Runs commands with bash, which stops at the first that fails. Returns their output.
 * @param programs the folder of {@link installProgram}, first in the `PATH`
 */
export async function inShell(
  commands: string,
  { cwd, programs, env = {} }: { cwd: string; programs?: string; env?: Record<string, string> },
): Promise<string> {
  const inherited = process.env.PATH ?? '';
  const { stdout } = await run('bash', ['--norc', '-euo', 'pipefail', '-c', commands], {
    cwd,
    env: { PATH: programs ? `${programs}:${inherited}` : inherited, ...env },
  });
  return stdout;
}

/** Makes a program of this repository available under the name that the page uses. */
export async function installProgram(folder: string, name: string, file: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const target = path.join(folder, name);
  await writeFile(target, `#!/bin/sh\nexec "${process.execPath}" "${file}" "$@"\n`);
  await chmod(target, 0o755);
}
