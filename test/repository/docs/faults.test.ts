import { expect } from 'chai';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { ROOT } from '../../support/repository.ts';

describe('docs/faults.md', () => {
  it('lists exactly the numbers in the titles of the tests', async () => {
    const page = await readFile(path.join(ROOT, 'docs', 'faults.md'), 'utf8');
    const rows = [...page.matchAll(/^\| ([FG]\d\d) /gm)].map(([, number]) => number);
    expect(new Set(rows).size, 'duplicate numbers').to.equal(rows.length);
    const names = await readdir(path.join(ROOT, 'test'), { recursive: true });
    const titles = new Set<string>();
    for (const name of names.filter((one) => one.endsWith('.test.ts'))) {
      const source = await readFile(path.join(ROOT, 'test', name), 'utf8');
      for (const [number] of source.matchAll(/\b[FG]\d\d\b/g)) titles.add(number);
    }
    expect([...titles].sort()).to.deep.equal([...rows].sort());
  });
});
