import { expect } from 'chai';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { PROBLEMS } from '../../../backend/contract/problem.ts';
import {
  DEPLOYMENT_ACTIONS,
  DEPLOYMENT_STATUSES,
  ROLLOUT_STRATEGIES,
} from '../../../backend/contract/states.ts';
import { isAllowed, stateAfter } from '../../../backend/deployments/rules/deployment-states.ts';
import { ROOT } from '../../support/repository.ts';

const PAGE = path.join(ROOT, 'docs/contract.md');

describe('docs/contract.md', () => {
  /** The cells of the table below a heading, by row. */
  let rowsOf: (heading: string) => string[][];

  before(async () => {
    const text = await readFile(PAGE, 'utf8');
    rowsOf = (heading) => {
      const section = text.split(new RegExp(`^#+ ${heading}$`, 'm'))[1]?.split(/^#+ /m)[0] ?? '';
      const rows = section.split('\n').filter((line) => line.startsWith('|'));
      return rows.slice(2).map((row) =>
        row
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim()),
      );
    };
  });

  const codesIn = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? '');

  it('has the same table of actions as the rules', () => {
    const rows = rowsOf('Deployments');
    expect(rows.map(([action]) => action)).to.deep.equal([...DEPLOYMENT_ACTIONS]);
    for (const action of DEPLOYMENT_ACTIONS) {
      const [, from = '', to = ''] = rows.find(([name]) => name === action) ?? [];
      const possible = DEPLOYMENT_STATUSES.filter((status) =>
        isAllowed(action, { status, strategy: 'canary', unreleased: 1, failed: 1 }),
      );
      expect(codesIn(from), action).to.deep.equal(possible);
      expect(stateAfter(action, possible[0]!), action).to.equal(codesIn(to)[0]);
    }
  });

  it('lists every strategy', () => {
    const strategies = rowsOf('Strategies').map(([name = '']) => codesIn(name)[0]);
    expect(strategies).to.deep.equal([...ROLLOUT_STRATEGIES]);
  });

  it('lists every error code with its status', () => {
    const listed = rowsOf('Errors').flatMap(([status, codes = '']) =>
      codesIn(codes).map((code) => [code, Number(status)]),
    );
    expect(Object.fromEntries(listed)).to.deep.equal(
      Object.fromEntries(Object.entries(PROBLEMS).map(([code, { status }]) => [code, status])),
    );
  });
});
