/** Measures the server under ten times the load that it admits. */
import { absoluteFigure, ratioFigure, type Figure } from '../figure.ts';
import { LARGE, pollsOf } from './fleet.ts';
import { load } from './load.ts';
import type { Testbed } from './testbed.ts';

const LIMIT = 64;
const SECONDS = 4;
const POLLS_PER_CONNECTION = 100;
const MAX_MS = 250;

export async function* measureOverload(testbed: Testbed): AsyncGenerator<Figure> {
  const host = await testbed.startHost({
    role: 'api',
    pluginConfig: { device_requests_per_minute: 100_000, device_requests_at_once: LIMIT },
  });
  const requests = pollsOf(LARGE, POLLS_PER_CONNECTION);
  const until = { seconds: SECONDS };
  await load({ url: host.url, connections: LIMIT, requests, until });
  const usual = await load({ url: host.url, connections: LIMIT, requests, until });
  const overload = await load({ url: host.url, connections: 10 * LIMIT, requests, until });
  const after = await load({ url: host.url, connections: LIMIT, requests, until });
  await host.kill('SIGTERM');
  const others = Object.keys({ ...overload.rejected, ...after.rejected }).filter(
    (s) => s !== '503',
  );
  if (others.length > 0) throw new Error(`unexpected statuses: ${others.join()}`);
  yield absoluteFigure('ten times the load: admitted polls, p99', overload.admittedP99Ms, 'ms', {
    below: MAX_MS,
  });
  yield ratioFigure(
    'ten times the load: polls answered with 200',
    {
      value: overload.admittedPerSecond,
      unit: '/s',
      baseline: usual.admittedPerSecond,
      against: 'before it',
    },
    { atLeast: 0.3 },
  );
  yield ratioFigure(
    'after it: polls answered with 200',
    {
      value: after.admittedPerSecond,
      unit: '/s',
      baseline: usual.admittedPerSecond,
      against: 'before it',
    },
    { atLeast: 0.8 },
  );
}
