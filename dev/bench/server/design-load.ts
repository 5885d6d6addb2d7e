/** Measures what the load of a million devices costs while there is nothing to offer. */
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

import type { HostProcess } from '../../host/host-process.ts';
import { absoluteFigure, plainFigure, type Figure } from '../figure.ts';
import { median } from '../median.ts';
import { parentOf, processorSeconds, processorSecondsWithChildren } from '../processes.ts';
import type { Baseline } from './baseline.ts';
import { startPacedPolls } from './paced-polls.ts';
import type { Testbed } from './testbed.ts';

const ROUNDS = 3;
const SECONDS = 10;
const MAX_POLL_MS = 20;

interface Cost {
  /** Cores. */
  server: number;
  /** Cores. */
  database: number;
  p99Ms: number;
}

export async function* measureDesignLoad(
  testbed: Testbed,
  hosts: { express: HostProcess; preRouter: HostProcess },
  baseline: Baseline,
): AsyncGenerator<Figure> {
  const database = await postgresPid(testbed);
  const product = ({ url, pid }: HostProcess): Promise<Cost> => costOf({ url, pid, database });
  const bare = (url: string): Promise<Cost> =>
    costOf({ url, pid: baseline.pid, database, poll: () => ({ path: '/nothing' }) });
  const rounds: Record<'preRouter' | 'express' | 'node' | 'bareExpress', Cost[]> = {
    preRouter: [],
    express: [],
    node: [],
    bareExpress: [],
  };
  // Alternating, so that other load on the machine affects all.
  for (let round = 0; round < ROUNDS; round += 1) {
    rounds.node.push(await bare(baseline.node));
    rounds.preRouter.push(await product(hosts.preRouter));
    rounds.bareExpress.push(await bare(baseline.express));
    rounds.express.push(await product(hosts.express));
  }
  yield* figuresOf('ahead of Express', rounds.preRouter, 20);
  yield* figuresOf('through Express', rounds.express, 36);
  yield shareFigure('bare node:http', rounds.node, 'server');
  yield shareFigure('bare Express', rounds.bareExpress, 'server');
}

function* figuresOf(name: string, costs: readonly Cost[], maxPercent: number): Generator<Figure> {
  const percent = median(costs.map(({ server, database }) => ofMachine(server + database)));
  yield absoluteFigure(`3,333 polls/s ${name}, share of the machine`, percent, '%', {
    below: maxPercent,
  });
  yield shareFigure(name, costs, 'server');
  yield shareFigure(name, costs, 'database');
  yield absoluteFigure(`3,333 polls/s ${name}, p99`, median(costs.map((one) => one.p99Ms)), 'ms', {
    below: MAX_POLL_MS,
  });
}

function shareFigure(name: string, costs: readonly Cost[], part: 'server' | 'database'): Figure {
  const cores = median(costs.map((cost) => cost[part]));
  return plainFigure(`3,333 polls/s ${name}, ${part}, share of a core`, cores * 100, '%');
}

function ofMachine(cores: number): number {
  return (cores / availableParallelism()) * 100;
}

async function costOf(load: {
  url: string;
  /** Process id of the server. */
  pid: number;
  /** Process id of PostgreSQL. */
  database: number;
  poll?: () => { path: string };
}): Promise<Cost> {
  const polls = await startPacedPolls(load.url, load.poll);
  const startedAt = performance.now();
  const before = await timesOf(load);
  await delay(SECONDS * 1_000);
  const after = await timesOf(load);
  const seconds = (performance.now() - startedAt) / 1_000;
  const { p99Ms } = await polls.stop();
  return {
    server: (after.server - before.server) / seconds,
    database: (after.database - before.database) / seconds,
    p99Ms,
  };
}

/** Processor time so far, in seconds. */
async function timesOf({
  pid,
  database,
}: {
  pid: number;
  database: number;
}): Promise<{ server: number; database: number }> {
  return {
    server: await processorSeconds(pid),
    database: await processorSecondsWithChildren(database),
  };
}

async function postgresPid({ knex }: Testbed): Promise<number> {
  const { rows } = await knex.raw<{ rows: [{ pid: number }] }>('SELECT pg_backend_pid() AS pid');
  return parentOf(rows[0].pid);
}
