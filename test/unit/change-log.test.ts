import { expect } from 'chai';
import fc from 'fast-check';

import type { DeploymentChanged } from '../../backend/deployments/model/change-feed.ports.ts';
import { ChangeLog, mergeChanges } from '../../backend/live-updates/change-log.ts';

function change(deploymentId: string, named: string[] = [], others = false): DeploymentChanged {
  return { deploymentId, organizationId: 'organization', devices: { named, others } };
}

describe('log of changes', () => {
  it('goes on after the change a stream has seen', () => {
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

  it('does not pretend to know what it has forgotten', () => {
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

  it('knows no ids of another process, of the future, or that nobody gave out', () => {
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

describe('changes shown together', () => {
  it('are one for each deployment, naming all of its devices once', () => {
    expect(
      mergeChanges([change('a', ['1', '2']), change('b'), change('a', ['2', '3'])]),
    ).to.deep.equal([change('a', ['1', '2', '3']), change('b')]);
  });

  it('have others as soon as one of them has, and still name what can be named', () => {
    expect(
      mergeChanges([change('a', ['1']), change('a', [], true), change('a', ['2'])]),
    ).to.deep.equal([change('a', ['1', '2'], true)]);
  });

  it('lose nothing, in whatever portions they come', () => {
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
