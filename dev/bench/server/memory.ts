/** Measures the memory of an api process: the traffic of a million devices, sent as fast as possible. */
import { absoluteFigure, ratioFigure, type Figure } from '../figure.ts';
import { memoryOf } from '../processes.ts';
import { LARGE, pollsOf } from './fleet.ts';
import { CONNECTIONS, load } from './load.ts';
import { FLEET_POLLS_PER_SECOND } from './paced-polls.ts';
import type { Testbed } from './testbed.ts';

const SLICES = 12;
/** During these the process grows to its normal size. */
const WARM_UP_SLICES = 4;
const POLLS_PER_CONNECTION = 2_000;

/** @param hours of traffic of the fleet, e.g. 0.1 */
export async function* measureMemory(testbed: Testbed, hours: number): AsyncGenerator<Figure> {
  const polls = Math.round((hours * 3_600 * FLEET_POLLS_PER_SECOND) / SLICES);
  const host = await testbed.startHost({
    role: 'api',
    pluginConfig: { device_requests_per_minute: 100_000 },
  });
  const sizes: number[] = [];
  for (let slice = 0; slice < SLICES; slice += 1) {
    const part = { ...LARGE, first: LARGE.first + slice * CONNECTIONS * POLLS_PER_CONNECTION };
    await load({
      url: host.url,
      requests: pollsOf(part, POLLS_PER_CONNECTION),
      until: { requests: polls },
    });
    sizes.push((await memoryOf(host.pid)).resident);
    console.error(`memory after ${(slice + 1) * polls} polls: ${sizes.at(-1)?.toFixed(0)} MB`);
  }
  await host.kill('SIGTERM');
  const grown = Math.max(...sizes.slice(0, WARM_UP_SLICES));
  const last = Math.max(...sizes.slice(WARM_UP_SLICES));
  yield ratioFigure(
    `memory of an api process over ${polls * SLICES} polls (${hours === 1 ? 'one hour' : `${hours} hours`})`,
    { value: last, unit: 'MB', baseline: grown, against: 'the first third' },
    // In less than an hour the process is still growing to its normal size.
    hours >= 1 ? { below: 1.1 } : null,
  );
  yield absoluteFigure('peak memory of an api process', Math.max(...sizes), 'MB', {
    below: 400,
  });
}
