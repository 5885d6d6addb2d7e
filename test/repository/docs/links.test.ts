import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { ROOT } from '../../support/repository.ts';

/** The anchor that Markdown renderers generate. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}

async function anchorsIn(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8');
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));
}

describe('the links in the documentation', () => {
  it('point to existing pages, files and headings', async () => {
    const folders = ['.', 'docs', 'docs/decisions'];
    const broken: string[] = [];
    let checked = 0;
    for (const folder of folders) {
      for (const name of await readdir(path.join(ROOT, folder))) {
        if (!name.endsWith('.md')) continue;
        const page = path.join(ROOT, folder, name);
        const links = (await readFile(page, 'utf8')).matchAll(/\]\(([^)\s]+)\)/g);
        for (const [, link = ''] of links) {
          if (/^https?:/.test(link)) continue;
          checked++;
          const [file = '', anchor] = link.split('#');
          const target = file ? path.resolve(path.dirname(page), file) : page;
          const isValid =
            existsSync(target) &&
            (anchor === undefined || (await anchorsIn(target)).includes(anchor));
          if (!isValid) broken.push(`${folder}/${name}: ${link}`);
        }
      }
    }
    expect(checked).to.be.above(30);
    expect(broken).to.deep.equal([]);
  });
});
