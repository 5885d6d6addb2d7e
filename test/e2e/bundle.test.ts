import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { absoluteFigure, recordFigure } from '../../dev/bench/figure.ts';
import { PACKAGE_ROOT } from './support/ops-center.ts';

const FOLDER = path.join(PACKAGE_ROOT, 'dist', 'frontend');
const STAMP = path.join(PACKAGE_ROOT, 'dist', '.built', 'page.json');
const MAX_GZIP_KB = 145;
const FROM_THE_HOST = ['pinia', 'vue', 'vue-router'];

describe('page: the bundle', () => {
  let scripts: { name: string; text: string }[];

  before(async () => {
    if (!existsSync(FOLDER)) throw new Error('dist/frontend is missing: run "npm run build".');
    // Chunks of earlier builds lie there for a while, for pages that are open.
    const { files } = JSON.parse(await readFile(STAMP, 'utf8')) as { files: string[] };
    const names = files
      .filter((name) => name.endsWith('.js'))
      .map((name) => path.relative('frontend', name));
    scripts = await Promise.all(
      names.map(async (name) => ({ name, text: await readFile(path.join(FOLDER, name), 'utf8') })),
    );
  });

  it('is small, including the chart and the log viewer', () => {
    const bytes = scripts.reduce((sum, { text }) => sum + gzipSync(text).length, 0);
    console.log(`      own JavaScript: ${(bytes / 1_000).toFixed(0)} kB gzip`);
    recordFigure(
      absoluteFigure("the page's own JavaScript, gzip", bytes / 1_000, 'kB', {
        below: MAX_GZIP_KB,
      }),
    );
    expect(bytes).to.be.below(MAX_GZIP_KB * 1_000);
  });

  it('imports nothing but its own files and the modules that the host provides', () => {
    const imports = scripts
      .flatMap(({ text }) => [
        ...[...text.matchAll(/\b(?:im|ex)port\s*[\w$*{},\s]*from\s*["']([^"']+)["']/g)],
        ...[...text.matchAll(/\bimport\s*\(?\s*["'`]([^"'`]+)["'`]/g)],
      ])
      .map(([, name]) => name ?? '');
    const foreign = new Set(imports.filter((name) => !/^\.{1,2}\//.test(name)));
    expect([...foreign].sort()).to.deep.equal(FROM_THE_HOST);
  });

  it('needs no bundler: no process.env is left', () => {
    for (const { name, text } of scripts) expect(text, name).not.to.include('process.env');
  });

  it('has one style sheet, in which all names of Element Plus are prefixed', async () => {
    const files = (await readdir(FOLDER, { recursive: true })).filter((name) =>
      name.endsWith('.css'),
    );
    expect(files).to.deep.equal(['page.css']);
    const css = await readFile(path.join(FOLDER, 'page.css'), 'utf8');
    expect(css).not.to.match(/[^a-z-]\.el-|(?<!ota)--el-/);
  });
});
