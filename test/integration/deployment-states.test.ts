import { expect } from 'chai';

import type { Problem } from '../../backend/contract/problem.ts';
import type { DeploymentAction, DeploymentStatus } from '../../backend/contract/states.ts';
import {
  createFleet,
  startServer,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

const ACTIONS = ['start', 'pause', 'resume', 'cancel', 'expand', 'retry'] as const;

interface Situation {
  /** For test titles. */
  name: string;
  status: DeploymentStatus;
  /** The allowed actions and the states they lead to. Every other action is a 409. */
  allows: Partial<Record<DeploymentAction, DeploymentStatus>>;
  create(fleet: Fleet): Promise<string>;
}

/** Ten devices, canary: two in the first batch, of which one completes and one may fail. */
async function canary(fleet: Fleet, first?: 'failed' | 'completed'): Promise<string> {
  const id = await fleet.rollOut({ rollout_strategy: 'canary', rollout_percentage: 20 });
  const [device] = await fleet.batch(id, 1);
  if (first && device) await fleet.reports(device, id, 'downloading', first);
  return id;
}

/** All devices finish: the first with this status, the others completed. */
async function finished(fleet: Fleet, first: 'failed' | 'completed'): Promise<string> {
  const id = await fleet.rollOut();
  await fleet.reportAll(fleet.devices.slice(1), id, 'completed');
  await fleet.reports(fleet.device, id, first);
  return id;
}

const SITUATIONS: Situation[] = [
  {
    name: 'pending',
    status: 'pending',
    allows: { start: 'in_progress', cancel: 'cancelled' },
    create: async (fleet) => (await fleet.create()).deployment_id,
  },
  {
    name: 'in_progress canary with a rest and no failure',
    status: 'in_progress',
    allows: { pause: 'paused', cancel: 'cancelled', expand: 'in_progress' },
    create: (fleet) => canary(fleet, 'completed'),
  },
  {
    name: 'in_progress canary with a failed device',
    status: 'in_progress',
    allows: {
      pause: 'paused',
      cancel: 'cancelled',
      expand: 'in_progress',
      retry: 'in_progress',
    },
    create: (fleet) => canary(fleet, 'failed'),
  },
  {
    name: 'in_progress, everything released',
    status: 'in_progress',
    allows: { pause: 'paused', cancel: 'cancelled' },
    create: (fleet) => fleet.rollOut(),
  },
  {
    name: 'paused with a failed device',
    status: 'paused',
    allows: { resume: 'in_progress', cancel: 'cancelled', retry: 'paused' },
    async create(fleet) {
      const id = await canary(fleet, 'failed');
      await fleet.act(id, 'pause');
      return id;
    },
  },
  {
    name: 'completed',
    status: 'completed',
    allows: {},
    create: (fleet) => finished(fleet, 'completed'),
  },
  {
    name: 'failed',
    status: 'failed',
    allows: { retry: 'in_progress' },
    create: (fleet) => finished(fleet, 'failed'),
  },
  {
    name: 'cancelled',
    status: 'cancelled',
    allows: {},
    async create(fleet) {
      const id = await canary(fleet, 'failed');
      await fleet.act(id, 'cancel');
      return id;
    },
  },
];

describe('deployment states', () => {
  let ota: OtaServer;

  before(async () => {
    ota = await startOta();
  });

  after(() => ota.close());

  for (const situation of SITUATIONS) {
    describe(`${situation.name}`, () => {
      let fleet: Fleet;
      let id: string;

      beforeEach(async () => {
        fleet = await createFleet(ota, 10);
        id = await situation.create(fleet);
      });

      it('lists the allowed actions', async () => {
        const detail = await fleet.detail(id);
        expect(detail.status).to.equal(situation.status);
        expect(detail.allowed_actions).to.have.members(Object.keys(situation.allows));
      });

      it('rejects every other action and names the state and the allowed actions', async () => {
        for (const action of ACTIONS.filter((name) => !(name in situation.allows))) {
          const answer = await fleet.post(`/deployments/${id}/${action}`);
          const problem = answer.body as Problem;
          expect([action, answer.status, problem.code]).to.deep.equal([
            action,
            409,
            'invalid_state',
          ]);
          expect(problem.current_status).to.equal(situation.status);
          expect(problem.allowed_actions).to.have.members(Object.keys(situation.allows));
          expect(problem.detail).to.include(situation.status);
          for (const allowed of Object.keys(situation.allows)) {
            expect(problem.detail).to.include(allowed);
          }
        }
        expect((await fleet.detail(id)).status).to.equal(situation.status);
      });

      for (const [action, next] of Object.entries(situation.allows)) {
        it(`changes to ${next} on ${action}`, async () => {
          const answer = await fleet.post(`/deployments/${id}/${action}`).expect(200);
          const body = (action === 'retry' ? answer.body.deployment : answer.body) as {
            status: string;
          };
          expect(body.status).to.equal(next);
          expect((await fleet.detail(id)).status).to.equal(next);
        });
      }
    });
  }

  describe('G22 a rejected action', () => {
    const HINTS: [situation: string, action: DeploymentAction, hint: RegExp][] = [
      ['cancelled', 'retry', /Create a new deployment .*device_ids/],
      ['cancelled', 'expand', /Create a new deployment/],
      ['completed', 'start', /Create a new deployment/],
      ['completed', 'cancel', /has finished/],
      ['failed', 'cancel', /has finished/],
      ['failed', 'pause', /has finished/],
      ['pending', 'pause', /not started. Cancel it/],
      ['pending', 'resume', /Start it/],
      ['pending', 'expand', /canary/],
      ['pending', 'retry', /None of its devices has failed/],
      ['paused with a failed device', 'expand', /Resume it first/],
      ['in_progress, everything released', 'start', /already started/],
      ['in_progress, everything released', 'resume', /not paused/],
    ];

    for (const [name, action, hint] of HINTS) {
      it(`suggests what to do instead of ${action} when ${name}`, async () => {
        const fleet = await createFleet(ota, 10);
        const id = await SITUATIONS.find((situation) => situation.name === name)!.create(fleet);
        const answer = await fleet.post(`/deployments/${id}/${action}`).expect(409);
        expect((answer.body as Problem).detail).to.match(hint);
      });
    }
  });

  describe('a deployment whose targets have all finished', () => {
    it('is completed if no target failed, at the time of the last report', async () => {
      const fleet = await createFleet(ota, 2);
      const id = await finished(fleet, 'completed');
      const detail = await fleet.detail(id);
      expect(detail.status).to.equal('completed');
      expect(detail.phase).to.equal('ended');
      const times = detail.devices.map((target) => Date.parse(target.completed_at ?? ''));
      expect(Date.parse(detail.completed_at ?? '')).to.be.at.least(Math.max(...times) - 1_000);
      expect(fleet.notices(id).map(({ name }) => name)).to.deep.equal(['ota.deployment.completed']);
    });

    it('is failed if a target rolled back', async () => {
      const fleet = await createFleet(ota, 2);
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'installing', 'rolled_back');
      await fleet.reports(fleet.devices[1]!, id, 'completed');
      expect((await fleet.detail(id)).status).to.equal('failed');
      expect(fleet.notices(id).map(({ name }) => name)).to.deep.equal(['ota.deployment.failed']);
    });

    it('is completed even if it was paused', async () => {
      const fleet = await createFleet(ota, 1);
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'installing');
      await fleet.act(id, 'pause');
      await fleet.reports(fleet.device, id, 'completed');
      const detail = await fleet.detail(id);
      expect([detail.status, detail.paused_reason]).to.deep.equal(['completed', null]);
    });

    it('is completed if the other targets were skipped, which its progress shows', async () => {
      const fleet = await createFleet(ota, 2);
      const id = await fleet.rollOut();
      const newer = await fleet.rollOut({
        target_version: 'v3.0.0',
        device_ids: [fleet.device.id],
      });
      await fleet.reports(fleet.device, newer, 'completed');
      await fleet.reports(fleet.devices[1]!, id, 'completed');
      const detail = await fleet.detail(id);
      expect(detail.status).to.equal('completed');
      expect(detail.progress).to.deep.equal({
        total_devices: 2,
        completed: 1,
        failed: 0,
        in_progress: 0,
        pending: 0,
        skipped: 1,
        rolled_back: 0,
        percentage: 50,
      });
    });
  });

  describe('F67 concurrent requests to two servers', () => {
    let second: Awaited<ReturnType<typeof startServer>>;

    before(async () => {
      second = await startServer(ota.knex, { role: 'api' });
    });

    after(() => second.close());

    const RACES = [
      { action: 'start', from: 'pending', event: 'started' },
      { action: 'pause', from: 'in_progress, everything released', event: 'paused' },
      { action: 'resume', from: 'paused with a failed device', event: 'resumed' },
      { action: 'cancel', from: 'in_progress, everything released', event: 'cancelled' },
      { action: 'expand', from: 'in_progress canary with a failed device', event: 'expanded' },
      { action: 'retry', from: 'in_progress canary with a failed device', event: 'retried' },
    ];
    for (const { action, from, event: type } of RACES) {
      it(`exactly one of six ${action} requests succeeds`, async () => {
        const here = await createFleet(ota, 10);
        const id = await SITUATIONS.find(({ name }) => name === from)!.create(here);
        const there = here.through(second.host);
        const answers = await Promise.all(
          [here, there, here, there, here, there].map((fleet) =>
            fleet.post(`/deployments/${id}/${action}`),
          ),
        );
        const statuses = answers.map((answer) => answer.status).sort();
        expect(statuses).to.deep.equal([200, 409, 409, 409, 409, 409]);
        const events = await here.eventTypes(id);
        expect(events.filter((event) => event === type)).to.have.length(1);
      });
    }

    it('a deployment that is started and cancelled at once ends up cancelled', async () => {
      for (let round = 0; round < 5; round += 1) {
        const fleet = await createFleet(ota, 3);
        const { deployment_id: id } = await fleet.create();
        const [start, cancel] = await Promise.all([
          fleet.post(`/deployments/${id}/start`),
          fleet.through(second.host).post(`/deployments/${id}/cancel`),
        ]);
        expect(cancel.status).to.equal(200);
        expect(start.status).to.be.oneOf([200, 409]);
        const detail = await fleet.detail(id);
        expect(detail.status).to.equal('cancelled');
        expect(detail.progress.skipped).to.equal(3);
        expect(await fleet.offered(fleet.device)).to.equal(null);
      }
    });
  });
});
