/** Measures two api processes, each with a port or behind one, and two workers on one PostgreSQL and one Redis. */
import type { CheckUpdateResponse } from '../../../backend/contract/device-api.ts';
import { DeviceConnections } from '../../fleet/device-connection.ts';
import { waitFor } from '../../wait-for.ts';
import { absoluteFigure, ratioFigure, type Figure } from '../figure.ts';
import { median } from '../median.ts';
import { AdminApi } from './admin.ts';
import { LARGE, pollsOf } from './fleet.ts';
import { CONNECTIONS, load } from './load.ts';
import { deviceOf, type Testbed } from './testbed.ts';

const ROUNDS = 3;
const SECONDS = 3;
const TRIALS = 20;
const POLLS_PER_CONNECTION = 400;

/** @param id of a deployment in progress whose targets are released */
export async function* measureScaleOut(testbed: Testbed, id: string): AsyncGenerator<Figure> {
  const pluginConfig = { device_requests_per_minute: 100_000 };
  const first = await testbed.startHost({ role: 'api', pluginConfig });
  const second = await testbed.startHost({ role: 'api', pluginConfig });
  const onePort = await testbed.startHost({ role: 'api', pluginConfig, processes: 2 });
  const workers = [
    await testbed.startHost({ role: 'worker' }),
    await testbed.startHost({ role: 'worker' }),
  ];
  yield* await throughput([first.url, second.url], onePort.url);
  yield* await propagation(testbed, id, first.url, second.url);
  await Promise.all([first, second, onePort, ...workers].map((host) => host.kill('SIGTERM')));
}

async function throughput(urls: readonly [string, string], onePort: string): Promise<Figure[]> {
  const polls = (url: string, connections: number) =>
    load({
      url,
      connections,
      requests: pollsOf(LARGE, POLLS_PER_CONNECTION),
      until: { seconds: SECONDS },
    });
  const one: number[] = [];
  const two: number[] = [];
  const twoBehindOnePort: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    one.push((await polls(urls[0], CONNECTIONS)).perSecond);
    const both = await Promise.all(urls.map((url) => polls(url, CONNECTIONS / 2)));
    two.push(both.reduce((sum, { perSecond }) => sum + perSecond, 0));
    twoBehindOnePort.push((await polls(onePort, CONNECTIONS)).perSecond);
  }
  const figure = (name: string, rates: number[]): Figure =>
    ratioFigure(
      name,
      { value: median(rates), unit: '/s', baseline: median(one), against: 'one process' },
      null,
    );
  return [
    figure('polls of two api processes', two),
    figure('polls of two api processes behind one port', twoBehindOnePort),
  ];
}

/** How long a pause or resume on one server takes until another server applies it. */
async function propagation(
  testbed: Testbed,
  id: string,
  steering: string,
  polled: string,
): Promise<Figure[]> {
  const admin = new AdminApi(steering, testbed.adminToken);
  const connections = new DeviceConnections([polled], 1);
  const device = deviceOf(LARGE.first + LARGE.size - 1);
  const offered = async (): Promise<boolean> => {
    const outcome = await connections.poll(device);
    if (outcome.kind !== 'accepted') throw new Error(`poll: ${outcome.kind}`);
    return (outcome.body as CheckUpdateResponse).update_available;
  };
  const slowest = { pause: 0, resume: 0 };
  for (let trial = 0; trial < TRIALS; trial += 1) {
    for (const action of ['pause', 'resume'] as const) {
      await admin.act(id, action);
      const respondedAt = performance.now();
      await waitFor(async () => (await offered()) === (action === 'resume'), {
        every: 2,
        describe: `the other server applies the ${action}`,
      });
      slowest[action] = Math.max(slowest[action], performance.now() - respondedAt);
    }
  }
  await connections.close();
  return (['pause', 'resume'] as const).map((action) =>
    absoluteFigure(
      `${action} on one server, slowest of ${TRIALS} until another server applies it`,
      slowest[action],
      'ms',
      { below: 1_000 },
    ),
  );
}
