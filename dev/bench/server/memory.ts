/** Memory of an api process while traffic goes on: an hour of a million devices, compressed. */
import { readFile } from 'node:fs/promises';

import { absoluteFigure, ratioFigure, type Figure } from '../figure.ts';
import { LARGE, pollsOf } from './fleet.ts';
import { CONNECTIONS, load } from './load.ts';
import { FLEET_POLLS_PER_SECOND } from './paced-polls.ts';
import type { Stand } from './stand.ts';

const SLICES = 12;
/** After these the process has grown to what it needs. */
const SLICES_TO_GROW = 4;
const POLLS_PER_CONNECTION = 2_000;

/** @param hours of the fleet's polls, e.g. 0.1 */
export async function* measureMemory(stand: Stand, hours: number): AsyncGenerator<Figure> {
  const polls = Math.round((hours * 3_600 * FLEET_POLLS_PER_SECOND) / SLICES);
  const host = await stand.startHost({
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
    sizes.push(await residentMb(host.pid));
    console.error(`memory after ${(slice + 1) * polls} polls: ${sizes.at(-1)?.toFixed(0)} MB`);
  }
  await host.kill('SIGTERM');
  const grown = Math.max(...sizes.slice(0, SLICES_TO_GROW));
  const last = Math.max(...sizes.slice(SLICES_TO_GROW));
  yield ratioFigure(
    `memory of an api process over ${polls * SLICES} polls`,
    { value: last, unit: 'MB', limit: grown, against: 'its first third' },
    // In less than an hour the process is still growing to what it needs.
    hours >= 1 ? { below: 1.1 } : null,
  );
  yield absoluteFigure('memory of an api process at its largest', Math.max(...sizes), 'MB', {
    below: 400,
  });
}

async function residentMb(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  return (Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1] ?? Number.NaN) * 1_024) / 1e6;
}
