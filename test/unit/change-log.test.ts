import { expect } from 'chai';
import fc from 'fast-check';

import type { DeploymentChanged } from '../../backend/deployments/model/change-feed.ports.ts';
import { ChangeLog, mergeChanges } from '../../backend/live-updates/change-log.ts';

function change(deploymentId: string, named: string[] = [], others = false): DeploymentChanged {
  return { deploymentId, organizationId: 'organization', devices: { named, others } };
}

describe('the change log', () => {
  it('returns the changes since a given id', () => {
    const log = new ChangeLog('epoch');
    const start = log.lastId;
    log.append(change('a'));
    const seen = log.lastId;
    log.append(change('b'));
    log.append(change('c'));
    expect(log.since(seen)).to.deep.equal([change('b'), change('c')]);
    expect(log.since(start)).to.deep.equal([change('a'), change('b'), change('c')]);
    expect(log.since(log.lastId)).to.deep.equal([]);
  });

  it('returns null for an id older than its capacity', () => {
    const log = new ChangeLog('epoch');
    const ids = [log.lastId];
    for (let index = 0; index < 3_000; index += 1) {
      log.append(change(String(index)));
      ids.push(log.lastId);
    }
    const known = ids.map((id) => log.since(id));
    const oldest = known.findIndex((changes) => changes !== null);
    expect(oldest).to.be.above(0);
    known.forEach((changes, seen) => {
      if (seen < oldest) expect(changes).to.equal(null);
      else expect(changes).to.have.length(3_000 - seen);
    });
    expect(known[oldest]?.[0]).to.deep.equal(change(String(oldest)));
  });

  it('returns null for ids of another process, future ids and malformed ids', () => {
    const log = new ChangeLog('epoch');
    log.append(change('a'));
    for (const id of [
      'other-1',
      'epoch-2',
      'epoch--1',
      'epoch-',
      'epoch',
      '',
      '-',
      'epoch-x',
      'epoch-0.5',
      'epoch-1e0',
      'epoch- 1',
      'epoch-1-1',
      '1',
    ]) {
      expect(log.since(id), id).to.equal(null);
    }
  });
});

describe('merged changes', () => {
  it('are one per deployment with each of its devices once', () => {
    expect(
      mergeChanges([change('a', ['1', '2']), change('b'), change('a', ['2', '3'])]),
    ).to.deep.equal([change('a', ['1', '2', '3']), change('b')]);
  });

  it('have others if one of them has, and still list all named devices', () => {
    expect(
      mergeChanges([change('a', ['1']), change('a', [], true), change('a', ['2'])]),
    ).to.deep.equal([change('a', ['1', '2'], true)]);
  });

  it('lose nothing, however they are grouped', () => {
    const one = fc.record({
      deploymentId: fc.constantFrom('a', 'b', 'c'),
      organizationId: fc.constant('organization'),
      devices: fc.record({
        named: fc.array(fc.constantFrom('1', '2', '3', '4'), { maxLength: 3 }),
        others: fc.boolean(),
      }),
    });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 12 }), fc.nat({ max: 12 }), (changes, cut) => {
        const whole = mergeChanges(changes);
        expect(
          mergeChanges([...mergeChanges(changes.slice(0, cut)), ...changes.slice(cut)]),
        ).to.deep.equal(mergeChanges([...mergeChanges(whole)]));
        for (const { deploymentId, devices } of changes) {
          const merged = whole.filter((entry) => entry.deploymentId === deploymentId);
          expect(merged).to.have.length(1);
          expect(merged[0]?.devices.named).to.include.members(devices.named);
          if (devices.others) expect(merged[0]?.devices.others).to.equal(true);
        }
      }),
    );
  });
});
