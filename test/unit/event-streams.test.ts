import { expect } from 'chai';
import { pino } from 'pino';
import type { StreamEvent } from '../../backend/contract/admin-api.ts';
import type { DeploymentRepository } from '../../backend/deployments/model/deployment.ports.ts';
import type {
  Deployment,
  DeploymentState,
} from '../../backend/deployments/model/deployment.types.ts';
import type { ForecastContext } from '../../backend/deployments/rules/forecast-input.ts';
import { defaultPolicy } from '../../backend/deployments/rules/rollout-policy.ts';
import type { ForecastContexts } from '../../backend/deployments/reading/forecast-context.service.ts';
import type { TargetViews } from '../../backend/deployments/model/target.ports.ts';
import {
  NO_DEVICES,
  type ChangeFeed,
  type FeedMessage,
} from '../../backend/deployments/model/change-feed.ports.ts';
import { EventStreams, type StreamClient } from '../../backend/live-updates/event-streams.ts';
import { waitFor } from '../../dev/wait-for.ts';

const ORGANIZATION = '00000000-0000-4000-8000-000000000001';
const DEPLOYMENT = '00000000-0000-4000-8000-000000000002';

/** Reads of the deployment's state that the test resolves or rejects. */
class ControlledReads {
  readonly pending: { answer(status: Deployment['status']): void; fail(): void }[] = [];

  findStateUnscoped(): Promise<DeploymentState> {
    return new Promise((resolve, reject) => {
      this.pending.push({
        answer: (status) =>
          resolve({
            batches: [],
            deployment: {
              id: DEPLOYMENT,
              organizationId: ORGANIZATION,
              name: 'name',
              status,
              strategy: 'immediate',
              policy: defaultPolicy('immediate'),
              totalDevices: 1,
              createdAt: new Date(0),
            } as Deployment,
          }),
        fail: () => reject(new Error('the database is unavailable')),
      });
    });
  }
}

const CONTEXT: ForecastContext = {
  now: new Date('2026-11-01T12:00:00Z'),
  pollSeconds: 300,
  recentDurations: null,
};

describe('the event streams of a server', () => {
  let reads: ControlledReads;
  let streams: EventStreams;
  let emit: (message: FeedMessage) => void;

  beforeEach(() => {
    reads = new ControlledReads();
    const feed: ChangeFeed = {
      publish: () => undefined,
      subscribe: (listener) => {
        emit = listener;
        return Promise.resolve(() => undefined);
      },
      isReceiving: true,
      close: () => Promise.resolve(),
    };
    streams = new EventStreams(
      feed,
      reads as unknown as DeploymentRepository,
      {} as TargetViews,
      { read: () => Promise.resolve(CONTEXT) } as unknown as ForecastContexts,
      pino({ level: 'silent' }),
    );
  });

  function client(organizationId = ORGANIZATION): StreamClient & { shown: StreamEvent[] } {
    const shown: StreamEvent[] = [];
    return {
      organizationId,
      everything: false,
      detailed: new Set([DEPLOYMENT]),
      shown,
      send: (_id, events) => shown.push(...events),
      end: () => undefined,
    };
  }

  const read = (number: number) =>
    waitFor(() => reads.pending[number], {
      describe: () => `read ${number} of ${reads.pending.length}`,
    });

  it('G25 remove a client whose first read fails', async () => {
    const added = streams.add(client(), null);
    (await read(0)).fail();
    const failure = await added.then(
      () => null,
      (error: Error) => error.message,
    );
    expect(failure).to.equal('the database is unavailable');
    expect(streams.size).to.equal(0);
  });

  it('G25 continue for other clients after the first read of one fails', async () => {
    const failing = streams.add(client(), null).catch(() => undefined);
    const other = client();
    const added = streams.add(other, null);
    (await read(0)).fail();
    (await read(1)).answer('in_progress');
    await Promise.all([failing, added]);
    expect(streams.size).to.equal(1);
    expect(other.shown.map(({ type }) => type)).to.deep.equal(['deployment', 'progress']);
  });

  it('G25 never show an older state after a newer one', async () => {
    const watching = client();
    const first = streams.add(watching, null);
    (await read(0)).answer('pending');
    await first;
    emit({
      kind: 'changed',
      change: { deploymentId: DEPLOYMENT, organizationId: ORGANIZATION, devices: NO_DEVICES },
    });
    const shown = await read(1);
    const late = client();
    const joining = streams.add(late, null);
    shown.answer('in_progress');
    (await read(2)).answer('completed');
    await joining;
    const states = late.shown.flatMap((event) =>
      event.type === 'deployment' ? [event.status] : [],
    );
    expect(states.at(-1)).to.equal('completed');
  });

  it('G25 show a client nothing of a deployment of another organization', async () => {
    const foreign = client('00000000-0000-4000-8000-000000000009');
    const added = streams.add(foreign, null);
    (await read(0)).answer('in_progress');
    await added;
    expect(foreign.shown).to.deep.equal([]);
  });
});
