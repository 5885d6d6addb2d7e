/** The lint rules that the code base relies on, each with code that it must report. */
import path from 'node:path';

import { expect } from 'chai';
import { ESLint } from 'eslint';
import { ROOT } from '../../support/repository.ts';

/** `file` must exist, because some rules need types. Its content is replaced. */
const VIOLATIONS: { rule: string; file: string; code: string }[] = [
  {
    rule: 'no-restricted-syntax',
    file: 'backend/config.ts',
    code: 'export default 1;',
  },
  {
    rule: 'no-restricted-syntax',
    file: 'backend/config.ts',
    code: 'export enum Colour { Red }',
  },
  {
    rule: 'no-restricted-syntax',
    file: 'backend/config.ts',
    code: `export * from './tokens.ts';`,
  },
  {
    rule: '@typescript-eslint/no-floating-promises',
    file: 'backend/config.ts',
    code: 'export function f() { Promise.resolve(); }',
  },
  {
    rule: '@typescript-eslint/no-restricted-imports',
    file: 'backend/config.ts',
    code: `import { Container } from 'inversify'; export const c = new Container();`,
  },
  {
    rule: 'no-console',
    file: 'backend/config.ts',
    code: `export const f = () => console.log('x');`,
  },
  {
    rule: 'no-restricted-syntax',
    file: 'test/unit/version.test.ts',
    code: 'before(() => undefined);',
  },
  {
    rule: 'vue/no-v-html',
    file: 'frontend/detail/DeploymentPage.vue',
    code: `<script setup lang="ts">const notes = '<b>';</script><template><p v-html="notes" /></template>`,
  },
  {
    rule: 'vue/no-bare-strings-in-template',
    file: 'frontend/detail/DeploymentPage.vue',
    code: `<template><p>Started</p></template>`,
  },
];

describe('the lint rules', function () {
  this.timeout(60_000);

  const eslint = new ESLint({ cwd: ROOT });

  for (const { rule, file, code } of VIOLATIONS) {
    it(`${rule} reports ${code}`, async () => {
      const [result] = await eslint.lintText(code, { filePath: path.join(ROOT, file) });
      const errors = result?.messages.filter(({ severity }) => severity === 2) ?? [];
      expect(errors.map(({ ruleId }) => ruleId)).to.include(rule);
    });
  }

  it('allow the container in backend/container.ts', async () => {
    const code = `import { Container } from 'inversify';\nexport const c = new Container();\n`;
    const [result] = await eslint.lintText(code, {
      filePath: path.join(ROOT, 'backend/container.ts'),
    });
    expect(result?.messages).to.deep.equal([]);
  });
});
