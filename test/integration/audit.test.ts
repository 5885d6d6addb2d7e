import { expect } from 'chai';

import type { DeploymentEvent, EventType } from '../../backend/contract/admin-api.ts';
import {
  ADMIN_API,
  deploymentRequest,
  createFleet,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

/** Documentation address (RFC 5737) in the header that a proxy would add. */
const FORWARDED = '203.0.113.7';

interface Action {
  route: string;
  event: EventType;
  body?: object;
  /** Creates a deployment for which the action is possible. Returns its id. */
  prepare?(fleet: Fleet): Promise<string>;
}

const pending = async (fleet: Fleet) => (await fleet.create()).deployment_id;
const rolling = (fleet: Fleet) => fleet.rollOut();

const ACTIONS: Action[] = [
  { route: '/deployments', event: 'created', body: deploymentRequest() },
  { route: '/deployments/:id/start', event: 'started', prepare: pending },
  { route: '/deployments/:id/pause', event: 'paused', prepare: rolling },
  {
    route: '/deployments/:id/resume',
    event: 'resumed',
    async prepare(fleet) {
      const id = await fleet.rollOut();
      await fleet.act(id, 'pause');
      return id;
    },
  },
  { route: '/deployments/:id/cancel', event: 'cancelled', prepare: pending },
  {
    route: '/deployments/:id/expand',
    event: 'expanded',
    prepare: (fleet) => fleet.rollOut({ rollout_strategy: 'canary', rollout_percentage: 50 }),
  },
  {
    route: '/deployments/:id/retry',
    event: 'retried',
    async prepare(fleet) {
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'failed');
      return id;
    },
  },
  {
    route: '/deployments/:id/devices/:device_id/rollback',
    event: 'rollback_requested',
    async prepare(fleet) {
      const id = await fleet.rollOut();
      await fleet.reports(fleet.device, id, 'completed');
      return id;
    },
  },
];

/** They change nothing, so they are not recorded. */
const UNRECORDED = ['post /deployments/preview', 'post /deployments/impact'];

describe('the audit trail of admin actions', () => {
  let ota: OtaServer;
  let fleet: Fleet;

  before(async () => {
    ota = await startOta();
  });

  after(() => ota.close());

  beforeEach(async () => {
    ota.host.app.set('trust proxy', false);
    fleet = await createFleet(ota, 2);
  });

  async function run(
    { route, body, prepare }: Action,
    forwardedFor?: string,
  ): Promise<{ status: number; before: DeploymentEvent[]; after: DeploymentEvent[] }> {
    const id = await prepare?.(fleet);
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

  it('is tested for every action', () => {
    const changing = ota.host.routes('admin').filter((route) => route.startsWith('post '));
    expect(changing).to.have.members([
      ...ACTIONS.map(({ route }) => `post ${route}`),
      ...UNRECORDED,
    ]);
  });

  for (const action of ACTIONS) {
    it(`records ${action.route} with the admin and the real address of the client`, async () => {
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

  it('records the forwarded address if the host trusts the proxy', async () => {
    ota.host.app.set('trust proxy', 'loopback');
    const result = await run(ACTIONS[1]!, FORWARDED);
    expect(added(result).find(({ type }) => type === 'started')?.actor.address).to.equal(FORWARDED);
  });

  it('records no address for events that no admin caused', async () => {
    const id = await rolling(fleet);
    await fleet.reports(fleet.device, id, 'failed');
    for (const { actor } of await fleet.events(id)) {
      expect(actor.address === null).to.equal(actor.type !== 'admin');
    }
  });

  for (const action of ACTIONS.filter(({ prepare }) => prepare)) {
    it(`does not record a rejected ${action.route}`, async () => {
      const cancelled = async (): Promise<string> => {
        const id = await pending(fleet);
        await fleet.act(id, 'cancel');
        return id;
      };
      const result = await run({ ...action, prepare: cancelled });
      expect(result.status).to.equal(409);
      expect(added(result)).to.deep.equal([]);
    });
  }
});
