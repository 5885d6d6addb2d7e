import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';
import fc from 'fast-check';

import { type ActiveUpdate, Journal, UNSTARTED_UPDATE } from '../../agent/device/state/journal.ts';
import {
  type EndStatus,
  IllegalTransition,
  ROLLBACK_STEPS,
  type StepRule,
  UPDATE_STEPS,
  type UpdateStep,
} from '../../agent/device/state/step-table.ts';
import { generatedPages } from '../../dev/docs/generated-pages.ts';

const RULES = Object.entries<StepRule>(UPDATE_STEPS) as [UpdateStep, StepRule][];
const STEPS = RULES.map(([step]) => step);
const ENDS: EndStatus[] = ['completed', 'failed', 'rolled_back', 'skipped'];

/** From the first step, by any transition of the table; so long that every walk gets to its end. */
const walks = fc.array(fc.nat(), { minLength: 500, maxLength: 500 }).map((choices) => {
  const walk: UpdateStep[] = ['download'];
  for (const choice of choices) {
    const { next }: StepRule = UPDATE_STEPS[walk.at(-1) ?? 'end'];
    const step = next[choice % Math.max(next.length, 1)];
    if (step) walk.push(step);
  }
  return walk;
});

describe('agent: the table of steps', () => {
  it('leads from every walk to the end, and never commits after a restore', () => {
    fc.assert(
      fc.property(walks, (walk) => {
        expect(walk.at(-1)).to.equal('end');
        expect(walk.filter((step) => step === 'end')).to.have.length(1);
        const restored = walk.indexOf('restore');
        if (restored !== -1) expect(walk.slice(restored)).to.not.include('commit');
        const changed = walk.indexOf('install');
        if (changed !== -1) {
          expect(walk.slice(changed)).to.not.include('download');
          expect(walk.slice(changed)).to.not.include('extract');
          expect(walk.slice(changed + 1)).to.not.include('install');
        }
      }),
      { numRuns: 500 },
    );
  });

  it('ends as completed by a commit only, and as rolled back by a restore only', () => {
    const before = (status: EndStatus): UpdateStep[] =>
      RULES.filter(([, { endsAs }]) => endsAs.includes(status)).map(([step]) => step);
    expect(before('completed')).to.deep.equal(['commit']);
    expect(before('rolled_back')).to.deep.equal(['verify_restored']);
    expect(before('failed')).to.deep.equal(['download', 'extract', 'snapshot']);
    expect(before('skipped')).to.deep.equal(['download', 'extract', 'snapshot']);
  });

  it('leaves exactly the steps behind `install` to be rolled back', () => {
    const behind = RULES.filter(([, { next }]) => next.includes('restore')).map(([step]) => step);
    expect(behind).to.deep.equal(['install', 'reboot', 'verify', 'trial']);
    const never = RULES.filter(([, { afterPowerCut }]) => afterPowerCut.action === 'roll_back');
    expect(never.map(([step]) => step)).to.deep.equal(['install']);
  });

  for (const [step, rule] of RULES) {
    it(`says of \`${step}\` where it leads, and where it leads when it is interrupted too often`, () => {
      expect(rule.next.length === 0).to.equal(step === 'end');
      expect(rule.endsAs.length > 0).to.equal(rule.next.includes('end'));
      const { afterPowerCut } = rule;
      if (afterPowerCut.action === 'roll_back') expect(rule.next).to.include('restore');
      else if (afterPowerCut.limit) expect(rule.next).to.include(afterPowerCut.limit.then);
    });
  }

  it('has the steps of a rollback in one line, of which the reboot can be left out', () => {
    const steps = ['restore', 'reboot_restored', 'verify_restored', 'end'];
    expect(Object.keys(ROLLBACK_STEPS)).to.deep.equal(steps);
    expect(ROLLBACK_STEPS.restore.next).to.deep.equal(['reboot_restored', 'verify_restored']);
    expect(ROLLBACK_STEPS.reboot_restored.next).to.deep.equal(['verify_restored']);
    expect(ROLLBACK_STEPS.verify_restored.next).to.deep.equal(['end']);
  });

  it('is the table in the documentation', async () => {
    for (const { file, content } of await generatedPages()) {
      const outdated = `${path.basename(file)} is not up to date: run "npm run docs" and commit what it writes`;
      expect((await readFile(file, 'utf8')) === content, outdated).to.equal(true);
    }
  });
});

describe('agent: the journal and the table of steps', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'ota-steps-'));
  });

  afterEach(() => rm(folder, { recursive: true }));

  for (const from of STEPS) {
    it(`from \`${from}\`, takes what the table allows and refuses everything else unwritten`, async () => {
      const { journal } = await Journal.load(folder);
      const onDisk = (): Promise<string> => readFile(path.join(folder, 'journal.json'), 'utf8');
      const { next, endsAs }: StepRule = UPDATE_STEPS[from];
      for (const to of STEPS.filter((step) => step !== from)) {
        for (const status of to === 'end' ? ENDS : [null]) {
          await journal.setActive(updateAt(from));
          const before = await onDisk();
          const end = status && { status, error_message: null, installed_version: null };
          const advanced = journal.advance(updateAt(from), { step: to, ...(end && { end }) });
          const refused = await advanced.then(
            () => false,
            (error: unknown) => error instanceof IllegalTransition,
          );
          const allowed = next.includes(to) && (status === null || endsAs.includes(status));
          expect(refused, `${to} ${status}`).to.equal(!allowed);
          if (refused) expect(await onDisk()).to.equal(before);
          else expect(journal.state.active?.step).to.equal(to);
        }
      }
    });
  }
});

function updateAt(step: UpdateStep): ActiveUpdate {
  return {
    ...UNSTARTED_UPDATE,
    run_id: 'd-1',
    deployment_id: 'd',
    attempt: 1,
    step,
    target_version: '2',
    previous_version: '1',
    package_url: '',
    checksum: '',
    manifest: null,
    signature: null,
  };
}
