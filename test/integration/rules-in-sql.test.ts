import { expect } from 'chai';
import fc from 'fast-check';
import { TARGET_STATUSES, type TargetStatus } from '../../backend/contract/states.ts';
import type { Target } from '../../backend/deployments/model/deployment.types.ts';
import { retried } from '../../backend/deployments/rules/target-changes.ts';
import { isFinished } from '../../backend/deployments/rules/target-reports.ts';
import { toTarget, type TargetRow } from '../../backend/deployments/storage/target.row.ts';
import { createFleet, startOta, type Fleet, type OtaServer } from '../support/ota-server.ts';

const TARGETS = 1_000;

interface Facts {
  status: TargetStatus;
  attempt: number;
  rolled_back_on_request: boolean;
  rollback_version: string | null;
  error_message: string | null;
}

/** Statements that update many targets at once must agree with the rules for one target. */
describe('rules implemented in SQL', function () {
  this.timeout(60_000);
  let ota: OtaServer;
  let fleet: Fleet;
  let id: string;

  before(async () => {
    ota = await startOta();
  });
  after(() => ota.close());

  beforeEach(async () => {
    fleet = await createFleet(ota, TARGETS);
    id = await fleet.rollOut({ policy: { failure_threshold_percent: null } });
    const facts = fc.sample(
      fc.record<Facts>({
        status: fc.constantFrom(...TARGET_STATUSES),
        attempt: fc.integer({ min: 1, max: 9 }),
        rolled_back_on_request: fc.boolean(),
        rollback_version: fc.option(fc.constant('v2.0.0'), { freq: 1 }),
        error_message: fc.option(fc.string({ unit: 'grapheme-ascii' })),
      }),
      TARGETS,
    );
    await write(facts);
  });

  async function write(facts: Facts[]): Promise<void> {
    await ota.knex.raw(
      `UPDATE ota_deployment_devices t
       SET status = f.status, attempt = f.attempt, error_message = f.error_message,
           rollback_version = f.rollback_version, progress = 50, timed_out = f.status = 'failed',
           rolled_back_on_request = f.on_request AND f.status = 'rolled_back',
           skip_reason = CASE WHEN f.status = 'skipped' THEN 'not_checked_in' END,
           started_at = now() - interval '1 hour', last_report_at = now() - interval '1 minute',
           completed_at = CASE WHEN f.status = ANY(:ended) THEN now() - interval '1 minute' END
       FROM unnest(CAST(:statuses AS text[]), CAST(:attempts AS int[]), CAST(:requests AS boolean[]),
                   CAST(:versions AS text[]), CAST(:errors AS text[]))
              WITH ORDINALITY AS f (status, attempt, on_request, rollback_version, error_message, n)
       WHERE t.deployment_id = :id AND t.position = f.n - 1`,
      {
        id,
        ended: TARGET_STATUSES.filter(isFinished),
        statuses: facts.map(({ status }) => status),
        attempts: facts.map(({ attempt }) => attempt),
        requests: facts.map((one) => one.rolled_back_on_request),
        versions: facts.map((one) => one.rollback_version),
        errors: facts.map((one) => one.error_message),
      },
    );
    const counters = TARGET_STATUSES.map(
      (status) =>
        `${status} = (SELECT count(*) FROM ota_deployment_devices t
           WHERE t.deployment_id = b.deployment_id AND t.status = '${status}')`,
    );
    await ota.knex.raw(
      `UPDATE ota_deployment_batches b SET ${counters.join(', ')},
         rolled_back_on_request = (SELECT count(*) FROM ota_deployment_devices t
           WHERE t.deployment_id = b.deployment_id AND t.rolled_back_on_request)
       WHERE b.deployment_id = ?`,
      [id],
    );
  }

  async function read(): Promise<Target[]> {
    const rows = await ota
      .knex<TargetRow>('ota_deployment_devices')
      .where({ deployment_id: id })
      .orderBy('position');
    return rows.map(toTarget);
  }

  it('a retry of all targets does the same to each as a retry of one', async () => {
    const before = await read();
    await fleet.act(id, 'retry');
    const isRetried = ({ status, rolledBackOnRequest, rollbackVersion }: Target) =>
      (status === 'failed' || (status === 'rolled_back' && !rolledBackOnRequest)) &&
      rollbackVersion === null;
    expect(before.filter(isRetried).length).to.be.above(50);
    expect(await read()).to.deep.equal(
      before.map((target) => (isRetried(target) ? retried(target) : target)),
    );
  });

  it('a cancel skips pending targets and changes no other', async () => {
    const before = await read();
    await fleet.act(id, 'cancel');
    const after = await read();
    const { completed_at: at } = await fleet.detail(id);
    expect(before.filter(({ status }) => status === 'pending').length).to.be.above(50);
    expect(after).to.deep.equal(
      before.map((target) =>
        target.status === 'pending'
          ? { ...target, status: 'skipped', skipReason: 'cancelled', completedAt: new Date(at!) }
          : target,
      ),
    );
  });
});
