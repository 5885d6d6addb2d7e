/** Ten times as many devices at once as the server takes on. */
import { absoluteFigure, ratioFigure, type Figure } from '../figure.ts';
import { LARGE, pollsOf } from './fleet.ts';
import { load } from './load.ts';
import type { Stand } from './stand.ts';

const LIMIT = 64;
const SECONDS = 4;
const POLLS_PER_CONNECTION = 100;
const MAX_MS = 250;

export async function* measureStorm(stand: Stand): AsyncGenerator<Figure> {
  const host = await stand.startHost({
    role: 'api',
    pluginConfig: { device_requests_per_minute: 100_000, device_requests_at_once: LIMIT },
  });
  const requests = pollsOf(LARGE, POLLS_PER_CONNECTION);
  const until = { seconds: SECONDS };
  await load({ url: host.url, connections: LIMIT, requests, until });
  const usual = await load({ url: host.url, connections: LIMIT, requests, until });
  const storm = await load({ url: host.url, connections: 10 * LIMIT, requests, until });
  const after = await load({ url: host.url, connections: LIMIT, requests, until });
  await host.kill('SIGTERM');
  const others = Object.keys({ ...storm.refused, ...after.refused }).filter((s) => s !== '503');
  if (others.length > 0) throw new Error(`statuses ${others.join()} in the storm`);
  yield absoluteFigure('ten times the load: polls that are taken on, p99', storm.takenP99Ms, 'ms', {
    below: MAX_MS,
  });
  yield ratioFigure(
    'ten times the load: polls answered with 200',
    {
      value: storm.takenPerSecond,
      unit: '/s',
      limit: usual.takenPerSecond,
      against: 'before it',
    },
    { atLeast: 0.3 },
  );
  yield ratioFigure(
    'after it: polls answered with 200',
    {
      value: after.takenPerSecond,
      unit: '/s',
      limit: usual.takenPerSecond,
      against: 'before it',
    },
    { atLeast: 0.8 },
  );
}
