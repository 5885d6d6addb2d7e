import { expect } from 'chai';

import { openFleet, openStage, type Fleet, type Stage } from '../support/ota-scenario.ts';

describe('a fleet of more than 10,000 devices', () => {
  const TOTAL = 10_001;
  let stage: Stage;
  let fleet: Fleet;
  let id: string;

  before(async () => {
    stage = await openStage();
    fleet = await openFleet(stage, TOTAL);
  });

  after(() => stage.close());

  it('finds its offers within two seconds of the answer to the start', async () => {
    const created = await fleet.create();
    expect(created.target_devices).to.equal(TOTAL);
    id = created.deployment_id;
    await fleet.act(id, 'start');
    await fleet.untilReleased(id, TOTAL, { timeout: 2_000 });
    expect(await fleet.offered(fleet.device)).to.equal(id);
    expect(await fleet.offered(fleet.devices.at(-1)!)).to.equal(id);
  });

  it('shows the first hundred targets in the detail', async () => {
    expect((await fleet.detail(id)).devices).to.have.length(100);
  });

  it('F68 is offered nothing once a cancel has answered, and is skipped soon after', async () => {
    await fleet.act(id, 'cancel');
    expect(await fleet.offered(fleet.device)).to.equal(null);
    expect(await fleet.offered(fleet.devices.at(-1)!)).to.equal(null);
    const { progress, status } = await fleet.until(id, (now) => now.progress.pending === 0);
    expect([progress.skipped, status]).to.deep.equal([TOTAL, 'cancelled']);
  });
});
