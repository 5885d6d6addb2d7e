/** Pages with parts that are made from code, between `<!-- NAME: begin … -->` and `<!-- NAME: end -->`. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { format, resolveConfig } from 'prettier';

import { rollbackSteps, updateStepTable } from './step-tables.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

const PAGES: Record<string, Record<string, () => string>> = {
  'docs/agent.md': { 'update steps': updateStepTable, 'rollback steps': rollbackSteps },
};

export interface GeneratedPage {
  /** Absolute path. */
  file: string;
  content: string;
}

/** @throws Error when a page lacks the markers of a part */
export async function generatedPages(): Promise<GeneratedPage[]> {
  return Promise.all(
    Object.entries(PAGES).map(async ([name, parts]) => {
      const file = path.join(ROOT, name);
      let content = await readFile(file, 'utf8');
      for (const [part, make] of Object.entries(parts)) {
        content = replacePart(content, part, make());
      }
      const options = { ...(await resolveConfig(file)), filepath: file };
      return { file, content: await format(content, options) };
    }),
  );
}

function replacePart(page: string, part: string, text: string): string {
  const begin = `<!-- ${part}: begin, made by "npm run docs" -->`;
  const end = `<!-- ${part}: end -->`;
  const [before, rest] = splitAt(page, begin);
  const [, after] = splitAt(rest, end);
  return `${before}${begin}\n\n${text}\n\n${end}${after}`;
}

function splitAt(text: string, marker: string): [before: string, after: string] {
  const at = text.indexOf(marker);
  if (at === -1) throw new Error(`The page has no line ${marker}`);
  return [text.slice(0, at), text.slice(at + marker.length)];
}
