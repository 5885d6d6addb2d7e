import { expect } from 'chai';
import type { ImpactReason } from '../../../backend/contract/states.ts';
import { impactOf, type ImpactFacts } from '../../../backend/deployments/rules/impact.ts';
import type { ProtectedGroup } from '../../../backend/deployments/model/deployment.types.ts';

const group = (version: string | null, count: number, deviceType: string | null = 'pump') =>
  ({
    version,
    installed: version,
    count,
    deviceType,
    protection: null,
  }) satisfies ProtectedGroup;

function impact(groups: ProtectedGroup[], facts: Partial<ImpactFacts> = {}) {
  return impactOf({
    strategy: 'canary',
    targetVersion: 'v2.1.0',
    isPicked: false,
    groups,
    fleetDevices: 100,
    overlapping: [],
    ...facts,
  });
}

describe('the impact rules', () => {
  it('G42 count upgrades, downgrades, reinstallations and unknown changes', () => {
    const { devices, changes } = impact([
      group('v2.0.9', 10),
      group('2.1', 3),
      group('v2.1.0-rc.1', 2),
      group('v2.10.0', 5),
      group('v2.1.1-rc.1', 1),
      group('nightly', 4),
      group(null, 6),
    ]);
    expect(devices).to.equal(31);
    expect(changes).to.deep.equal({ upgrade: 12, downgrade: 6, same: 3, unknown: 10 });
  });

  it('G42 count devices by type, the most frequent first, including those without a type', () => {
    const { by_type: types } = impact([
      group('v1', 1, 'valve'),
      group('v1', 2),
      group('v2', 3),
      group('v1', 4, null),
    ]);
    expect(types).to.deep.equal([
      { device_type: 'pump', count: 5 },
      { device_type: null, count: 4 },
      { device_type: 'valve', count: 1 },
    ]);
  });

  it('compare the version of the deployment’s product, not of the device', () => {
    const { changes } = impact([
      { ...group('v9.0.0', 2), installed: 'v2.0.0' },
      { ...group('v1.0.0', 3), installed: 'v2.1.0' },
      { ...group('v1.0.0', 4), installed: null },
    ]);
    expect(changes).to.deep.equal({ upgrade: 2, downgrade: 0, same: 3, unknown: 4 });
  });

  it('count devices by what brings them back', () => {
    const withProtection = (protection: ProtectedGroup['protection'], count: number) => ({
      ...group('v1', count),
      protection,
    });
    const { protection } = impact([
      withProtection('none', 3),
      withProtection('slots', 2),
      withProtection('none', 4),
      withProtection(null, 5),
    ]);
    expect(protection).to.deep.equal({
      none: 7,
      files: 0,
      files_and_boot: 0,
      slots: 2,
      unknown: 5,
    });
  });

  const CASES: [string, ProtectedGroup[], Partial<ImpactFacts>, ImpactReason[]][] = [
    ['a staged upgrade of one type', [group('v2.0.0', 90)], {}, []],
    ['one device that is downgraded', [group('v2.0.0', 90), group('v3', 1)], {}, ['downgrade']],
    ['two types', [group('v2.0.0', 1), group('v2.0.0', 1, 'valve')], {}, ['several_types']],
    ['immediate to a fifth of the fleet', [group('v2.0.0', 20)], { strategy: 'immediate' }, []],
    [
      'immediate to more than a fifth',
      [group('v2.0.0', 21)],
      { strategy: 'immediate' },
      ['large_share'],
    ],
    [
      'manual to more than a fifth, by filters',
      [group('v2', 21)],
      { strategy: 'manual' },
      ['large_share'],
    ],
    [
      'manual to more than a fifth, by ids',
      [group('v2', 21)],
      { strategy: 'manual', isPicked: true },
      [],
    ],
    ['rolling to more than a fifth', [group('v2.0.0', 100)], { strategy: 'rolling' }, []],
    [
      'all reasons together',
      [group('v3', 90), group('v2', 1, 'valve')],
      { strategy: 'immediate' },
      ['downgrade', 'several_types', 'large_share'],
    ],
    ['no device', [], { strategy: 'immediate', fleetDevices: 0 }, []],
  ];
  for (const [what, groups, facts, reasons] of CASES) {
    it(`G42 ${what}: confirm ${reasons.join(', ') || 'nothing'}`, () => {
      expect(impact(groups, facts).confirm_because).to.deep.equal(reasons);
    });
  }
});
