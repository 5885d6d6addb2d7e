import { expect } from 'chai';

import type { TargetView } from '../../backend/contract/admin-api.ts';
import type { Problem } from '../../backend/contract/problem.ts';
import type { ReportedStatus, TargetStatus } from '../../backend/contract/states.ts';
import { createFleet, startOta, type Fleet, type OtaServer } from '../support/ota-server.ts';

/** Reports that lead to a status. */
const REPORTS_TO: Partial<Record<TargetStatus, ReportedStatus[]>> = {
  pending: [],
  downloading: ['downloading'],
  installing: ['downloading', 'installing'],
  verifying: ['downloading', 'installing', 'verifying'],
  completed: ['downloading', 'installing', 'verifying', 'completed'],
  failed: ['downloading', 'failed'],
  rolled_back: ['downloading', 'installing', 'rolled_back'],
};

const UNFINISHED = ['pending', 'downloading', 'installing', 'verifying'] as const;

/** What a device may report next (docs/contract.md, States). Every other report is a 409. */
const LEGAL: [TargetStatus, ReportedStatus[]][] = [
  ['pending', ['downloading', 'installing', 'verifying', 'completed', 'failed', 'rolled_back']],
  ['downloading', ['installing', 'verifying', 'completed', 'failed', 'rolled_back']],
  ['installing', ['verifying', 'completed', 'failed', 'rolled_back', 'downloading']],
  ['verifying', ['completed', 'failed', 'rolled_back', 'downloading']],
  ['completed', []],
  ['failed', ['rolled_back']],
  ['rolled_back', []],
];

const REPORTS: ReportedStatus[] = [
  'downloading',
  'installing',
  'verifying',
  'completed',
  'failed',
  'rolled_back',
  'skipped',
];

describe('target states', () => {
  let ota: OtaServer;
  let fleet: Fleet;
  let id: string;

  before(async () => {
    ota = await startOta();
  });

  after(() => ota.close());

  /** A second device keeps the deployment from finishing. */
  async function start(status: TargetStatus): Promise<void> {
    fleet = await createFleet(ota, 2);
    id = await fleet.rollOut();
    await fleet.reports(fleet.device, id, ...(REPORTS_TO[status] ?? []));
  }

  const current = async () => fleet.target(id, fleet.device);

  for (const [from, legal] of LEGAL) {
    const others = REPORTS.filter((report) => report !== from && !legal.includes(report));

    it(`from ${from}: accept ${legal.join(', ') || 'nothing'}`, async () => {
      for (const report of legal) {
        await start(from);
        await fleet.reports(fleet.device, id, report);
        expect((await current()).status).to.equal(report);
        const { status_breakdown } = await fleet.detail(id);
        expect(status_breakdown[report]).to.equal(1);
        expect(status_breakdown.pending).to.equal(1);
      }
    });

    it(`F56 from ${from}: reject ${others.join(', ')} as stale`, async () => {
      await start(from);
      const before = await current();
      for (const report of others) {
        const answer = await fleet.report(fleet.device, id, report);
        const problem = answer.body as Problem;
        expect([report, answer.status, problem.code]).to.deep.equal([report, 409, 'stale_status']);
      }
      expect(await current()).to.deep.equal(before);
    });

    if (from !== 'pending') {
      it(`F55 from ${from}: acknowledge a repeated report and change nothing`, async () => {
        await start(from);
        const before = await current();
        const counted = (await fleet.detail(id)).status_breakdown;
        const events = await fleet.eventTypes(id);
        await fleet.reports(fleet.device, id, from, from);
        const after = await current();
        // The report is a heartbeat, so the device has longer until it times out.
        const unlessHeard = (target: TargetView) => ({
          ...target,
          last_report_at: null,
          waiting_for: target.waiting_for?.reason,
        });
        expect(unlessHeard(after)).to.deep.equal(unlessHeard(before));
        expect((await fleet.detail(id)).status_breakdown).to.deep.equal(counted);
        expect(await fleet.eventTypes(id)).to.deep.equal(events);
      });
    }
  }

  it('F55 count duplicate reports once', async () => {
    await start('verifying');
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => fleet.report(fleet.device, id, 'completed')),
    );
    expect(new Set(answers.map((answer) => answer.status))).to.deep.equal(new Set([200]));
    const { progress } = await fleet.detail(id);
    expect([progress.completed, progress.in_progress, progress.pending]).to.deep.equal([1, 0, 1]);
  });

  it('F55 end with the last step when reports arrive out of order', async () => {
    await start('pending');
    const answers = await Promise.all(
      (['completed', 'downloading', 'verifying', 'installing'] as const).map((status) =>
        fleet.report(fleet.device, id, status),
      ),
    );
    for (const answer of answers) expect(answer.status).to.be.oneOf([200, 409]);
    const { progress } = await fleet.detail(id);
    expect(progress.completed).to.equal(1);
    expect(progress.in_progress).to.equal(0);
  });

  it('keep start, end, error and progress', async () => {
    await start('pending');
    await fleet.reports(fleet.device, id, { status: 'downloading', progress: 41.6 });
    const working = await current();
    expect(working.progress).to.equal(42);
    expect(working.completed_at).to.equal(null);
    await fleet.reports(fleet.device, id, { status: 'failed', error_message: 'disk full' });
    const failed = await current();
    expect(failed.started_at).to.equal(working.started_at);
    expect(failed.error_message).to.equal('disk full');
    expect(Date.parse(failed.completed_at!)).to.be.at.least(Date.parse(failed.started_at!));
  });

  describe('attempts', () => {
    it('reject a report of an earlier attempt', async () => {
      await start('failed');
      await fleet.act(id, 'retry');
      const answer = await fleet.report(fleet.device, id, { status: 'completed', attempt: 1 });
      expect([answer.status, (answer.body as Problem).code]).to.deep.equal([409, 'stale_attempt']);
      expect((await current()).status).to.equal('pending');
    });

    it('reject a report of a future attempt as invalid', async () => {
      await start('downloading');
      const answer = await fleet.report(fleet.device, id, { status: 'completed', attempt: 7 });
      expect(answer.status).to.equal(400);
      expect((answer.body as Problem).errors).to.have.length(1);
      expect((await current()).status).to.equal('downloading');
    });

    it('default to the current one', async () => {
      await start('failed');
      await fleet.act(id, 'retry');
      await fleet.reports(fleet.device, id, 'completed');
      const target = await current();
      expect([target.status, target.attempt]).to.deep.equal(['completed', 2]);
    });
  });

  describe('versions', () => {
    it('are set to the target version by completed', async () => {
      await start('verifying');
      expect(await fleet.installedVersion(fleet.device)).to.equal('v2.0.0');
      await fleet.reports(fleet.device, id, { status: 'completed', installed_version: 'v9.9.9' });
      expect(await fleet.installedVersion(fleet.device)).to.equal('v2.1.0');
    });

    it('are set to the reported version by rolled_back', async () => {
      await start('installing');
      await fleet.reports(fleet.device, id, {
        status: 'rolled_back',
        installed_version: 'v1.9.7',
      });
      expect(await fleet.installedVersion(fleet.device)).to.equal('v1.9.7');
    });

    it('are set to the previous version by rolled_back without a version', async () => {
      for (const report of [
        { status: 'rolled_back' },
        { status: 'rolled_back', installed_version: '' },
      ] as const) {
        await start('installing');
        await ota
          .knex('edge_devices')
          .where({ id: fleet.device.id })
          .update({ firmware_version: 'confused' });
        await fleet.reports(fleet.device, id, report);
        expect(await fleet.installedVersion(fleet.device)).to.equal('v2.0.0');
      }
    });

    it('are not changed by failed', async () => {
      await start('installing');
      await fleet.reports(fleet.device, id, { status: 'failed', installed_version: 'v2.1.0' });
      expect(await fleet.installedVersion(fleet.device)).to.equal('v2.0.0');
    });

    it('before the update are recorded when the device starts it', async () => {
      fleet = await createFleet(ota, 1);
      id = (await fleet.create()).deployment_id;
      await ota
        .knex('edge_devices')
        .where({ id: fleet.device.id })
        .update({ firmware_version: 'v2.0.5' });
      await fleet.act(id, 'start');
      await fleet.untilReleased(id, 1);
      await fleet.reports(fleet.device, id, 'downloading');
      expect((await current()).previous_version).to.equal('v2.0.5');
    });
  });

  it('reject reports of unreleased targets', async () => {
    fleet = await createFleet(ota, 10);
    id = await fleet.rollOut({ rollout_strategy: 'canary' });
    const [waiting] = await fleet.batch(id, 2);
    for (const status of ['downloading', 'completed', 'failed'] as const) {
      const answer = await fleet.report(waiting!, id, status);
      expect([answer.status, (answer.body as Problem).code]).to.deep.equal([409, 'invalid_state']);
    }
    expect((await fleet.target(id, waiting!)).status).to.equal('pending');
    expect(await fleet.installedVersion(waiting!)).to.equal('v2.0.0');
  });

  it('accept any error message and cut it to 4,000 characters', async () => {
    const broken = `${'x'.repeat(3_999)}\u{1f4a5}\u{1f4a5}`;
    for (const [message, kept] of [
      ['y'.repeat(5_000), 'y'.repeat(4_000)],
      ['nul \u0000 and half \ud83d a character', 'nul \ufffd and half \ufffd a character'],
      [broken, `${'x'.repeat(3_999)}\ufffd`],
    ] as const) {
      await start('installing');
      await fleet.reports(fleet.device, id, { status: 'failed', error_message: message });
      expect((await current()).error_message).to.equal(kept);
      expect((await fleet.events(id))[0]?.data['error_message']).to.equal(kept);
    }
  });

  it('count as in progress or pending while unfinished', async () => {
    fleet = await createFleet(ota, 4);
    id = await fleet.rollOut();
    for (const [index, status] of UNFINISHED.entries()) {
      await fleet.reports(fleet.devices[index]!, id, ...(REPORTS_TO[status] ?? []));
    }
    const detail = await fleet.detail(id);
    expect(detail.progress.in_progress).to.equal(3);
    expect(detail.progress.pending).to.equal(1);
    expect(detail.status).to.equal('in_progress');
  });
});
