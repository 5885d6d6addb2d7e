/**
 * Tests the architecture check itself. If dependency-cruiser cannot parse the code, it finds no modules
 * and passes. So this test plants a violation of every rule, which the check must report.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { expect } from 'chai';
import { ROOT } from '../../support/repository.ts';

const FOLDERS = ['backend', 'jobs', 'migrations', 'agent', 'frontend', 'dev', 'test'];

interface CruiseResult {
  summary: {
    totalCruised: number;
    violations: { from: string; to: string; rule: { name: string } }[];
  };
}

type Files = Record<string, string>;

/** The first file violates the rule. */
interface Violation {
  rule: string;
  files: Files;
}

const VIOLATIONS: Violation[] = [
  {
    rule: 'layers-of-backend',
    files: {
      'backend/http/back.ts': `import type { D } from '../devices/d.ts'; export type B = D;`,
      'backend/devices/d.ts': `export type D = 1;`,
    },
  },
  {
    rule: 'layers-of-backend-deployments',
    files: {
      'backend/deployments/model/back.ts': `import type { G } from '../rules/g.ts'; export type B = G;`,
      'backend/deployments/rules/g.ts': `export type G = 1;`,
    },
  },
  ...['backend/helpers/unlisted.ts', 'backend/deployments/unlisted.ts'].map((file) => ({
    rule: 'every-folder-is-a-layer',
    files: { [file]: `import { join } from 'node:path'; export const u = join;` },
  })),
  {
    rule: 'folders-do-not-import-wiring',
    files: {
      'agent/device/loop/wired.ts': `import { w } from '../../wiring.ts'; export const l = w;`,
      'agent/wiring.ts': `export const w = 1;`,
    },
  },
  {
    rule: 'folders-do-not-import-wiring',
    files: {
      'backend/kernel/wired.ts': `import { w } from '../wiring.ts'; export const k = w;`,
      'backend/wiring.ts': `export const w = 1;`,
    },
  },
  {
    rule: 'no-cycle',
    files: {
      'backend/metrics/one.ts': `import { two } from './two.ts'; export const one = () => two;`,
      'backend/metrics/two.ts': `import { one } from './one.ts'; export const two = () => one;`,
    },
  },
  {
    rule: 'resolvable',
    files: { 'backend/lost.ts': `import { x } from './nowhere.ts'; export const lost = x;` },
  },
  {
    rule: 'pure-rules',
    files: {
      'backend/deployments/rules/batch-gate.ts': `import { h } from '../helper.service.ts'; export const g = h;`,
      'backend/deployments/helper.service.ts': `export const h = 1;`,
    },
  },
  {
    rule: 'pure-rules',
    files: {
      'backend/targeting/version-filter.ts': `import Joi from 'joi'; export const o = Joi.any();`,
    },
  },
  {
    rule: 'contract-is-self-contained',
    files: { 'backend/contract/extra.ts': `import Joi from 'joi'; export const c = Joi.any();` },
  },
  ...[`import { tokens } from '../../tokens.ts'`, `import { tokens } from 'pino'`].map(
    (sneaked, index) => ({
      rule: 'signing-is-self-contained',
      files: {
        [`backend/contract/signing/sneaky-${index}.ts`]: `${sneaked}; export const s = tokens;`,
        'backend/tokens.ts': `export const tokens = 1;`,
      },
    }),
  ),
  {
    rule: 'page-does-not-import-signing',
    files: {
      'frontend/signed.ts': `import { m } from '../backend/contract/signing/m.ts'; export const s = m;`,
      'backend/contract/signing/m.ts': `export const m = 1;`,
    },
  },
  ...['express', 'knex', 'bullmq'].map((library) => ({
    rule: 'services-without-infrastructure',
    files: {
      [`backend/devices/${library}.service.ts`]: `import * as l from '${library}'; export const s = l;`,
    },
  })),
  {
    rule: 'services-without-infrastructure',
    files: {
      'backend/devices/typed.service.ts': `import type { Knex } from 'knex'; export type S = Knex;`,
    },
  },
  {
    rule: 'services-use-ports-not-repositories',
    files: {
      'backend/devices/a.controller.ts': `import { r } from './a.repository.ts'; export const c = r;`,
      'backend/devices/a.repository.ts': `export const r = 1;`,
    },
  },
  {
    rule: 'controllers-are-outermost',
    files: {
      'backend/devices/b.service.ts': `import { c } from './b.controller.ts'; export const s = c;`,
      'backend/devices/b.controller.ts': `export const c = 1;`,
    },
  },
  {
    rule: 'sql-in-repositories',
    files: { 'backend/http/sneaky.ts': `import knex from 'knex'; export const k = knex;` },
  },
  {
    rule: 'bullmq-in-two-files',
    files: { 'jobs/third.ts': `import { Queue } from 'bullmq'; export const q = Queue;` },
  },
  {
    rule: 'prom-client-in-one-file',
    files: {
      'backend/kernel/x.ts': `import { register } from 'prom-client'; export const r = register;`,
    },
  },
  ...['frontend/x.ts', 'agent/x.ts'].map((file) => ({
    rule: 'page-and-agent-import-the-contract-only',
    files: {
      [file]: `import { c } from '../backend/config.ts'; export const x = c;`,
      'backend/config.ts': `export const c = 1;`,
    },
  })),
  {
    rule: 'page-and-agent-import-the-contract-only',
    files: {
      'frontend/Page.vue': `<script setup lang="ts">import { c } from '../backend/config.ts'; c;</script>`,
      'backend/config.ts': `export const c = 1;`,
    },
  },
  {
    rule: 'page-and-agent-are-independent',
    files: {
      'agent/y.ts': `import { p } from '../frontend/p.ts'; export const y = p;`,
      'frontend/p.ts': `export const p = 1;`,
    },
  },
  {
    rule: 'nothing-imports-the-ota-command',
    files: {
      'agent/w.ts': `import { o } from './release-cli/o.ts'; export const w = o;`,
      'agent/release-cli/o.ts': `export const o = 1;`,
    },
  },
  ...[
    ['agent/kernel/upward.ts', 'agent/device/state/s.ts'],
    ['agent/files/upward.ts', 'agent/handoff/h.ts'],
    ['agent/launcher/upward.ts', 'agent/device/state/s.ts'],
  ].map(([from = '', to = '']) => ({
    rule: 'layers-of-agent',
    files: {
      [from]: `import { x } from '${path.posix.relative(path.posix.dirname(from), to)}'; export const u = x;`,
      [to]: `export const x = 1;`,
    },
  })),
  ...[
    ['agent/device/state/upward.ts', 'agent/device/updates/u.ts'],
    ['agent/device/network/upward.ts', 'agent/device/loop/l.ts'],
    ['agent/device/loop/upward.ts', 'agent/device/cli/c.ts'],
  ].map(([from = '', to = '']) => ({
    rule: 'layers-of-agent-device',
    files: {
      [from]: `import { x } from '${path.posix.relative(path.posix.dirname(from), to)}'; export const u = x;`,
      [to]: `export const x = 1;`,
    },
  })),
  {
    rule: 'every-folder-is-a-layer',
    files: {
      'agent/device/elsewhere/x.ts': `import { join } from 'node:path'; export const x = join;`,
    },
  },
  {
    rule: 'every-folder-is-a-layer',
    files: {
      'agent/elsewhere/x.ts': `import { join } from 'node:path'; export const x = join;`,
    },
  },
  {
    rule: 'release-cli-without-device',
    files: {
      'agent/release-cli/upward.ts': `import { x } from '../device/state/s.ts'; export const u = x;`,
      'agent/device/state/s.ts': `export const x = 1;`,
    },
  },
  {
    rule: 'migrations-are-self-contained',
    files: {
      'migrations/1.ts': `import { c } from '../backend/config.ts'; export const m = c;`,
      'backend/config.ts': `export const c = 1;`,
    },
  },
  {
    rule: 'product-without-tools',
    files: {
      'jobs/j.ts': `import { d } from '../dev/d.ts'; export const j = d;`,
      'dev/d.ts': `export const d = 1;`,
    },
  },
  {
    rule: 'product-without-dev-dependencies',
    files: { 'agent/z.ts': `import { expect } from 'chai'; export const z = expect;` },
  },
  {
    rule: 'hosts-use-the-plugin-contract-only',
    files: {
      'dev/host/h.ts': `import { c } from '../../backend/config.ts'; export const h = c;`,
      'backend/config.ts': `export const c = 1;`,
    },
  },
  {
    rule: 'nothing-imports-the-server',
    files: {
      'backend/plugin.ts': `import { m } from './server/host/m.ts'; export const p = m;`,
      'backend/server/host/m.ts': `export const m = 1;`,
    },
  },
  {
    rule: 'layers-of-backend-server',
    files: {
      'backend/server/host/early.ts': `import { l } from '../page/late.ts'; export const h = l;`,
      'backend/server/page/late.ts': `export const l = 1;`,
    },
  },
  {
    rule: 'folders-of-the-server-do-not-import-wiring',
    files: {
      'backend/server/devices/d.ts': `import { s } from '../server.ts'; export const d = s;`,
      'backend/server/server.ts': `export const s = 1;`,
    },
  },
];

describe('the architecture check', function () {
  this.timeout(120_000);

  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'ops-center-architecture-'));
  });

  afterEach(() => rm(folder, { recursive: true }));

  it('covers the code base and finds no violation', async () => {
    const { summary } = await cruise(ROOT);
    expect(summary.violations).to.deep.equal([]);
    expect(summary.totalCruised).to.be.above(150);
  });

  it('reports a violation of every rule', async () => {
    await plant(folder, Object.assign({}, ...VIOLATIONS.map(({ files }) => files)) as Files);
    const { summary } = await cruise(folder);
    for (const { rule, files } of VIOLATIONS) {
      const culprit = Object.keys(files)[0];
      const caught = summary.violations.filter(({ from }) => from === culprit);
      expect(
        caught.map((violation) => violation.rule.name),
        `rules broken by ${culprit}`,
      ).to.include(rule);
    }
    const { forbidden } = createRequire(import.meta.url)(configFile) as {
      forbidden: { name: string }[];
    };
    expect(VIOLATIONS.map(({ rule }) => rule)).to.include.members(
      forbidden.map(({ name }) => name),
    );
  });
});

const configFile = path.join(ROOT, '.dependency-cruiser.cjs');

async function plant(root: string, files: Files): Promise<void> {
  for (const directory of FOLDERS) await mkdir(path.join(root, directory), { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), content);
  }
  for (const name of ['package.json', 'tsconfig.json']) {
    await copyFile(path.join(ROOT, name), path.join(root, name));
  }
  await symlink(path.join(ROOT, 'node_modules'), path.join(root, 'node_modules'));
}

async function cruise(root: string): Promise<CruiseResult> {
  const program = path.join(ROOT, 'node_modules', '.bin', 'depcruise');
  const { stdout } = await promisify(execFile)(
    program,
    [...FOLDERS, '--config', configFile, '--output-type', 'json'],
    { cwd: root, maxBuffer: 256 * 1024 * 1024 },
  ).catch((failure: { stdout?: string; message: string }) => {
    // The exit status is the number of violations.
    if (failure.stdout?.startsWith('{')) return { stdout: failure.stdout };
    throw new Error(failure.message);
  });
  return JSON.parse(stdout) as CruiseResult;
}
