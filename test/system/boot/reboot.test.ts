/**
 * A virtual machine with GRUB, two slots and the shipped agent, updated by Ops-Center. `npm run test:boot`
 * runs it; `npm test` does not. The power cuts are random: `OTA_POWER_CUT_SEED` repeats a run, and
 * `OTA_POWER_CUTS` makes it longer.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';

import { planPowerCuts, requireVirtualMachine } from '../../../dev/reboot/requirements.ts';
import { type ScenarioResult, Scenarios } from '../../../dev/reboot/scenarios.ts';
import { TestBench } from '../../../dev/reboot/test-bench.ts';
import { addToSummary } from '../../support/root-hooks.ts';

const MINUTES = 60_000;
const MINUTES_PER_CUT = 5;
const { count: CUTS, seed: SEED } = planPowerCuts(process.env);

describe('a virtual machine that updates', function () {
  this.timeout(10 * MINUTES);

  const cleanup: (() => Promise<unknown>)[] = [];
  let bench: TestBench;
  let scenarios: Scenarios;
  /** Of an update that nothing disturbs. */
  let duration: number;

  before(async () => {
    await requireVirtualMachine();
    const folder = await mkdtemp(path.join(tmpdir(), 'ota-boot-'));
    cleanup.push(() => rm(folder, { recursive: true, force: true }));
    bench = await TestBench.start(folder, { add: (step) => void cleanup.push(step) });
    scenarios = new Scenarios(bench);
  });

  after(async () => {
    for (const step of cleanup.reverse()) await step();
  });

  function expectAgreement({ name, cut, disagreements }: ScenarioResult): void {
    const when = cut ? ` at ${cut.at.toFixed(1)} s, ${cut.during}` : '';
    expect(disagreements, `${name}${when} (seed ${SEED})`).to.deep.equal([]);
  }

  it('completes the update only after it has booted the new kernel', async () => {
    const result = await scenarios.healthy();
    expectAgreement(result);
    expect(result.target.status).to.equal('completed');
    expect(result.started).to.deep.equal(['slot-b']);
    expect(result.device.kernel).to.equal(bench.kernels.new.release);
    expect(result.phases.verify, 'time from the boot to the report').to.be.above(0);
    duration = result.phases.total;
    addToSummary(`update with a reboot in ${duration.toFixed(1)} s`);
  });

  it('boots the old kernel again if the new system is unhealthy', async () => {
    const result = await scenarios.unhealthy();
    expectAgreement(result);
    expect(result.target.status).to.equal('rolled_back');
    expect(result.started).to.deep.equal(['slot-a', 'slot-b']);
    expect(result.device.kernel).to.equal(bench.kernels.new.release);
  });

  it('is returned to the old kernel by GRUB if the new one panics', async () => {
    const result = await scenarios.panics();
    expectAgreement(result);
    expect(result.target.status).to.equal('rolled_back');
    expect(result.panics).to.equal(1);
    expect(result.started).to.deep.equal(['slot-a', 'slot-b']);
  });

  it('is returned to the old kernel by GRUB if there is no new one', async () => {
    const result = await scenarios.withoutKernel();
    expectAgreement(result);
    expect(result.target.status).to.equal('rolled_back');
    expect(result.started).to.deep.equal(['slot-a', 'slot-b']);
  });

  it('stays with the new version if the power is cut as soon as the update is completed', async () => {
    const result = await scenarios.cutAfterCompletion();
    expectAgreement(result);
    expect(result.target.status).to.equal('completed');
    expect(result.started).to.deep.equal(['slot-a', 'slot-a']);
  });

  it(`runs the old or the new version after each of ${CUTS} power cuts`, async function () {
    this.timeout(CUTS * MINUTES_PER_CUT * MINUTES);
    console.log(`      OTA_POWER_CUT_SEED=${SEED}`);
    const finished: string[] = [];
    for await (const result of scenarios.powerCuts(CUTS, SEED, duration)) {
      expectAgreement(result);
      expect(result.target.status).to.be.oneOf(['completed', 'rolled_back']);
      finished.push(result.target.status);
    }
    const completed = finished.filter((status) => status === 'completed').length;
    addToSummary(`${CUTS} power cuts: ${completed} completed, ${CUTS - completed} rolled back`);
  });

  it('has file systems without errors after all of that', async () => {
    await bench.checkDisk();
  });
});
