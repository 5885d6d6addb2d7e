import { expect } from 'chai';

import type { DeploymentEvent, EventType } from '../../backend/contract/admin-api.ts';
import {
  ADMIN_API,
  deploymentRequest,
  openFleet,
  openStage,
  type Fleet,
  type Stage,
} from '../support/ota-scenario.ts';

/** Documentation address (RFC 5737), as a proxy on this machine would pass it on. */
const FORWARDED = '203.0.113.7';

interface Action {
  route: string;
  event: EventType;
  body?: object;
  /** Brings a deployment to where the action is possible, and answers its id. */
  bring?(fleet: Fleet): Promise<string>;
}

const pending = async (fleet: Fleet) => (await fleet.create()).deployment_id;
const rolling = (fleet: Fleet) => fleet.roll();

const ACTIONS: Action[] = [
  { route: '/deployments', event: 'created', body: deploymentRequest() },
  { route: '/deployments/:id/start', event: 'started', bring: pending },
  { route: '/deployments/:id/pause', event: 'paused', bring: rolling },
  {
    route: '/deployments/:id/resume',
    event: 'resumed',
    async bring(fleet) {
      const id = await fleet.roll();
      await fleet.act(id, 'pause');
      return id;
    },
  },
  { route: '/deployments/:id/cancel', event: 'cancelled', bring: pending },
  {
    route: '/deployments/:id/expand',
    event: 'expanded',
    bring: (fleet) => fleet.roll({ rollout_strategy: 'canary', rollout_percentage: 50 }),
  },
  {
    route: '/deployments/:id/retry',
    event: 'retried',
    async bring(fleet) {
      const id = await fleet.roll();
      await fleet.reports(fleet.device, id, 'failed');
      return id;
    },
  },
  {
    route: '/deployments/:id/devices/:device_id/rollback',
    event: 'rollback_requested',
    async bring(fleet) {
      const id = await fleet.roll();
      await fleet.reports(fleet.device, id, 'completed');
      return id;
    },
  },
];

/** Changes nothing. */
const WITHOUT_TRACE = ['post /deployments/preview', 'post /deployments/impact'];

describe('what admins do', () => {
  let stage: Stage;
  let fleet: Fleet;

  before(async () => {
    stage = await openStage();
  });

  after(() => stage.close());

  beforeEach(async () => {
    stage.host.app.set('trust proxy', false);
    fleet = await openFleet(stage, 2);
  });

  async function run(
    { route, body, bring }: Action,
    forwardedFor?: string,
  ): Promise<{ status: number; before: DeploymentEvent[]; after: DeploymentEvent[] }> {
    const id = await bring?.(fleet);
    const before = id === undefined ? [] : await fleet.events(id);
    const request = fleet.host
      .as(fleet.admin)
      .post(`${ADMIN_API}${route.replace(':id', id ?? '').replace(':device_id', fleet.device.id)}`);
    if (forwardedFor !== undefined) void request.set('X-Forwarded-For', forwardedFor);
    const answer = await request.send(body ?? {});
    const touched = id ?? (answer.body as { deployment_id: string }).deployment_id;
    return { status: answer.status, before, after: await fleet.events(touched) };
  }

  const added = (result: { before: DeploymentEvent[]; after: DeploymentEvent[] }) =>
    result.after.filter(({ id }) => !result.before.some((event) => event.id === id));

  it('is complete here: a new action without a row fails', () => {
    const changing = stage.host.routes('admin').filter((route) => route.startsWith('post '));
    expect(changing).to.have.members([
      ...ACTIONS.map(({ route }) => `post ${route}`),
      ...WITHOUT_TRACE,
    ]);
  });

  for (const action of ACTIONS) {
    it(`${action.route} is told with who and from where, whatever the client claims`, async () => {
      const result = await run(action, FORWARDED);
      expect(result.status).to.be.within(200, 202);
      const [event, ...others] = added(result).filter(({ actor }) => actor.type === 'admin');
      expect(others).to.deep.equal([]);
      expect(event).to.deep.include({
        type: action.event,
        actor: {
          type: 'admin',
          id: fleet.admin.id,
          name: fleet.admin.name,
          address: '127.0.0.1',
        },
      });
    });
  }

  it('is told with the address that a proxy passes on where the host trusts it', async () => {
    stage.host.app.set('trust proxy', 'loopback');
    const result = await run(ACTIONS[1]!, FORWARDED);
    expect(added(result).find(({ type }) => type === 'started')?.actor.address).to.equal(FORWARDED);
  });

  it('is told without an address where nobody is behind it', async () => {
    const id = await rolling(fleet);
    await fleet.reports(fleet.device, id, 'failed');
    for (const { actor } of await fleet.events(id)) {
      expect(actor.address === null).to.equal(actor.type !== 'admin');
    }
  });

  for (const action of ACTIONS.filter(({ bring }) => bring)) {
    it(`${action.route} that is refused leaves no trace`, async () => {
      const ended = async (): Promise<string> => {
        const id = await pending(fleet);
        await fleet.act(id, 'cancel');
        return id;
      };
      const result = await run({ ...action, bring: ended });
      expect(result.status).to.equal(409);
      expect(added(result)).to.deep.equal([]);
    });
  }
});
