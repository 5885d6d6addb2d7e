import { expect } from 'chai';

import type { DeploymentStatus } from '../../backend/contract/states.ts';
import { counterDrift } from '../support/rollout-audit.ts';
import type { SeededDevice } from '../support/seed.ts';
import {
  createFleet,
  startServer,
  startOta,
  type Fleet,
  type OtaServer,
} from '../support/ota-server.ts';

/** What the actions depend on. A second implementation of the contract's table of states. */
interface Model {
  status: DeploymentStatus;
  /** The canary has unreleased targets. */
  rest: boolean;
  failed: boolean;
  /** The device of the rollback has started its update. */
  started: boolean;
}

interface Action {
  event: string;
  path(device: SeededDevice): string;
  /** The state after the action, or `null` if it is not allowed. */
  apply(model: Model): Model | null;
}

const simple = (name: string) => () => `/${name}`;
const when = (possible: boolean, model: Model) => (possible ? model : null);

const ACTIONS: Record<string, Action> = {
  start: {
    event: 'started',
    path: simple('start'),
    apply: (model) => when(model.status === 'pending', { ...model, status: 'in_progress' }),
  },
  pause: {
    event: 'paused',
    path: simple('pause'),
    apply: (model) => when(model.status === 'in_progress', { ...model, status: 'paused' }),
  },
  resume: {
    event: 'resumed',
    path: simple('resume'),
    apply: (model) => when(model.status === 'paused', { ...model, status: 'in_progress' }),
  },
  cancel: {
    event: 'cancelled',
    path: simple('cancel'),
    apply: (model) => when(model.status !== 'cancelled', { ...model, status: 'cancelled' }),
  },
  expand: {
    event: 'expanded',
    path: simple('expand'),
    apply: (model) => when(model.status === 'in_progress' && model.rest, { ...model, rest: false }),
  },
  retry: {
    event: 'retried',
    path: simple('retry'),
    apply: (model) =>
      when(['in_progress', 'paused'].includes(model.status) && model.failed, {
        ...model,
        failed: false,
      }),
  },
  rollback: {
    event: 'rollback_requested',
    path: (device) => `/devices/${device.id}/rollback`,
    apply: (model) => when(model.started, model),
  },
};

/** Canaries of ten devices, two of them in the first batch. */
interface Situation {
  model: Model;
  /** How many admin actions it took to get there. */
  actionsBefore: number;
  prepare(fleet: Fleet, id: string): Promise<void>;
}

async function roll(fleet: Fleet, id: string): Promise<void> {
  await fleet.act(id, 'start');
  await fleet.untilReleased(id, 2, { timeout: 20_000 });
  const [good, bad] = await fleet.batch(id, 1);
  await fleet.reports(good!, id, 'completed');
  await fleet.reports(bad!, id, 'failed');
}

const STARTED = { rest: true, failed: true, started: true };
const SITUATIONS: Situation[] = [
  {
    model: { status: 'pending', rest: true, failed: false, started: false },
    actionsBefore: 0,
    prepare: () => Promise.resolve(),
  },
  { model: { status: 'in_progress', ...STARTED }, actionsBefore: 1, prepare: roll },
  {
    model: { status: 'paused', ...STARTED },
    actionsBefore: 2,
    async prepare(fleet, id) {
      await roll(fleet, id);
      await fleet.act(id, 'pause');
    },
  },
];

const NAMES = Object.keys(ACTIONS);
const PAIRS = NAMES.flatMap((first) => NAMES.map((second) => [first, second] as const));
const ACTION_EVENTS = new Set(Object.values(ACTIONS).map(({ event }) => event));

describe('F67 concurrent actions on two servers', function () {
  this.timeout(60_000);
  let ota: OtaServer;
  let second: Awaited<ReturnType<typeof startServer>>;

  before(async () => {
    ota = await startOta();
    second = await startServer(ota.knex, { role: 'api' });
  });

  after(async () => {
    await second?.close();
    await ota?.close();
  });

  interface Race {
    fleet: Fleet;
    id: string;
    device: SeededDevice;
  }

  /** In parallel, because each spends most of its time waiting for the first batch. */
  async function prepare(situation: Situation, count: number): Promise<Race[]> {
    return Promise.all(
      Array.from({ length: count }, async () => {
        const fleet = await createFleet(ota, 10);
        const { deployment_id: id } = await fleet.create({
          rollout_strategy: 'canary',
          rollout_percentage: 20,
        });
        await situation.prepare(fleet, id);
        const [device] = await fleet.batch(id, 1);
        return { fleet, id, device: device! };
      }),
    );
  }

  /** The outcomes of running one after the other, in either order. */
  function legalOutcomes(model: Model, first: string, other: string): string[] {
    const inOrder = (names: string[]): boolean[] => {
      let state = model;
      return names.map((name) => {
        const next = ACTIONS[name]!.apply(state);
        if (next) state = next;
        return next !== null;
      });
    };
    return [inOrder([first, other]), inOrder([other, first]).reverse()].map((won) =>
      JSON.stringify(won),
    );
  }

  for (const situation of SITUATIONS) {
    describe(`on a deployment that is ${situation.model.status}`, () => {
      let races: Race[];

      before(async () => {
        races = await prepare(situation, PAIRS.length);
      });

      for (const [index, [first, other]] of PAIRS.entries()) {
        it(`${first} and ${other} have a serializable outcome`, async () => {
          const { fleet, id, device } = races[index]!;
          const url = (name: string) => `/deployments/${id}${ACTIONS[name]!.path(device)}`;
          const answers = await Promise.all([
            fleet.post(url(first)),
            fleet.through(second.host).post(url(other)),
          ]);
          for (const { status } of answers) expect(status).to.be.oneOf([200, 202, 409]);
          const won = answers.map(({ status }) => status !== 409);
          expect(JSON.stringify(won)).to.be.oneOf(legalOutcomes(situation.model, first, other));

          // The timeline contains the successful actions only, and they lead to the current state.
          const winners = [first, other].filter((_, place) => won[place]);
          const events = (await fleet.events(id)).filter(
            ({ type, actor }) => actor.type === 'admin' && ACTION_EVENTS.has(type),
          );
          const since = events.slice(0, winners.length).reverse();
          expect(since.map(({ type }) => type)).to.have.members(
            winners.map((name) => ACTIONS[name]!.event),
          );
          expect(events).to.have.length(winners.length + situation.actionsBefore);
          let state: Model | null = situation.model;
          for (const { type } of since) {
            const action = Object.values(ACTIONS).find(({ event }) => event === type)!;
            state = state && action.apply(state);
          }
          const detail = await fleet.detail(id);
          expect(detail.status).to.equal(state?.status);
          expect(await counterDrift(ota.knex, id)).to.equal(0);
        });
      }
    });
  }
});
