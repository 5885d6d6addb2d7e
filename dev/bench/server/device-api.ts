/** Measures polls and reports, through Express and ahead of it, compared with bare servers. */
import type { Request } from 'autocannon';

import { median } from '../median.ts';
import { ratioFigure, type Figure } from '../figure.ts';
import { LARGE, PARTS, pollsOf, reportsIn, reportsOf, type Part } from './fleet.ts';
import type { Baseline } from './baseline.ts';
import { CONNECTIONS, load, type LoadResult } from './load.ts';

const ROUNDS = 5;
const SECONDS = 2;
const POLLS_PER_CONNECTION = 400;
/**
 * Each device sends 4 reports once. {@link ROUNDS} rounds through and ahead of Express have to fit into the
 * smallest part of the fleet.
 */
const DEVICES_PER_CONNECTION = 14;
const BARE_REPORTS = 20_480;

export interface ServerUrls {
  /** Server without pre-router: every request goes through Express. */
  express: string;
  /** Server with pre-router: device requests are answered ahead of Express. */
  preRouter: string;
}

const PATHS = [
  { path: 'express', bare: 'express', name: 'through Express', against: 'bare Express' },
  { path: 'preRouter', bare: 'node', name: 'ahead of Express', against: 'bare node:http' },
] as const;

/** Id of the deployment to each part of the fleet. */
export type Deployments = ReadonlyMap<Part, string>;

/**
 * @param fleet state of the fleet, for the name of the figure
 * @param response what the server answers: no update, or an offer
 */
export async function* measurePolls(
  fleet: string,
  response: 'nothing' | 'offer',
  urls: ServerUrls,
  baseline: Baseline,
): AsyncGenerator<Figure> {
  const polls = pollsOf(LARGE, POLLS_PER_CONNECTION);
  for (const { path, bare, name, against } of PATHS) {
    const measure = {
      product: () => load({ url: urls[path], requests: polls, until: { seconds: SECONDS } }),
      baseline: () =>
        load({
          url: baseline[bare],
          requests: () => [{ method: 'GET', path: `/${response}` }],
          until: { seconds: SECONDS },
        }),
    };
    yield ratioFigure(
      `polls ${name}, ${fleet}`,
      { ...(await alternate(measure)), against },
      {
        atLeast: path === 'express' ? 0.8 : response === 'nothing' ? 0.4 : 0.3,
      },
    );
  }
}

/** Compares polls with a server that runs one statement for each, without authentication. */
export async function* measureOneStatementPerPoll(
  urls: ServerUrls,
  baseline: Baseline,
): AsyncGenerator<Figure> {
  const polls = pollsOf(LARGE, POLLS_PER_CONNECTION);
  const until = { seconds: SECONDS };
  const ways = [
    { path: '/own-connection', against: 'one connection per poll' },
    { path: '/pool', against: 'one statement per poll' },
  ];
  for (const { path, against } of ways) {
    const lookups = (connection: number): Request[] =>
      polls(connection).map((poll) => ({
        ...poll,
        path: poll.path?.replace(/^[^?]*/, path),
      }));
    const measure = {
      product: () => load({ url: urls.express, requests: polls, until }),
      baseline: () => load({ url: baseline.lookup, requests: lookups, until }),
    };
    yield ratioFigure(
      'polls through Express, compared with the earlier release',
      { ...(await alternate(measure)), against },
      null,
    );
  }
}

/** A report is acknowledged after its commit. */
export async function* measureReports(
  deployments: Deployments,
  urls: ServerUrls,
  baseline: Baseline,
): AsyncGenerator<Figure> {
  for (const part of PARTS) {
    const id = deployments.get(part) ?? '';
    let next = part.first;
    for (const { path, bare, name, against } of PATHS) {
      const measure = {
        product: () => {
          const requests = reportsOf(id, next, DEVICES_PER_CONNECTION);
          next += CONNECTIONS * DEVICES_PER_CONNECTION;
          const until = { requests: reportsIn(DEVICES_PER_CONNECTION) };
          return load({ url: urls[path], requests, until });
        },
        baseline: () =>
          load({
            url: baseline[bare],
            requests: () => [
              {
                method: 'POST',
                path: '/report',
                headers: { 'content-type': 'application/json' },
                body: JSON.stringify({ status: 'downloading', attempt: 1 }),
              },
            ],
            until: { requests: BARE_REPORTS },
          }),
      };
      yield ratioFigure(
        `reports ${name}, deployment of ${part.size}`,
        { ...(await alternate(measure)), against },
        { atLeast: path === 'express' ? 0.6 : 0.2 },
      );
    }
  }
}

/** Alternates between the product and the baseline, so that other load on the machine affects both. */
async function alternate(measure: {
  product: () => Promise<LoadResult>;
  baseline: () => Promise<LoadResult>;
}): Promise<{ value: number; unit: string; baseline: number }> {
  const rounds: { value: number; baseline: number }[] = [];
  await measure.baseline();
  for (let round = 0; round < ROUNDS; round += 1) {
    const { perSecond: baseline } = await measure.baseline();
    const { perSecond: value, rejected } = await measure.product();
    if (Object.keys(rejected).length > 0) {
      throw new Error(`rejected requests: ${JSON.stringify(rejected)}`);
    }
    rounds.push({ value, baseline });
  }
  const ratio = median(rounds.map(({ value, baseline }) => value / baseline));
  const value = median(rounds.map((round) => round.value));
  return { value, unit: '/s', baseline: value / ratio };
}
