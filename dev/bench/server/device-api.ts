/** Polls and reports, through Express and ahead of it, beside what bare servers answer. */
import { median } from '../median.ts';
import { ratioFigure, type Figure } from '../figure.ts';
import { LARGE, PARTS, pollsOf, reportsIn, reportsOf, type Part } from './fleet.ts';
import type { Limits } from './limits.ts';
import { CONNECTIONS, load } from './load.ts';

const ROUNDS = 5;
const SECONDS = 2;
const POLLS_PER_CONNECTION = 400;
/** 4 reports each; {@link ROUNDS} rounds through each door have to fit into the smallest part. */
const REPORTING_PER_CONNECTION = 14;
const BARE_REPORTS = 20_480;

export interface Doors {
  /** A server on which everything goes through Express. */
  express: string;
  /** A server that answers devices ahead of Express. */
  ahead: string;
}

const DOORS = [
  { door: 'express', bare: 'express', name: 'through Express', against: 'bare Express' },
  { door: 'ahead', bare: 'node', name: 'ahead of Express', against: 'bare node:http' },
] as const;

/** Deployments to each part of the fleet. */
export type Deployments = ReadonlyMap<Part, string>;

/** @param answer what the devices get: nothing or an offer */
export async function* measurePolls(
  fleet: string,
  answer: 'nothing' | 'offer',
  doors: Doors,
  limits: Limits,
): AsyncGenerator<Figure> {
  const polls = pollsOf(LARGE, POLLS_PER_CONNECTION);
  for (const { door, bare, name, against } of DOORS) {
    const measure = {
      product: () => load({ url: doors[door], requests: polls, until: { seconds: SECONDS } }),
      limit: () =>
        load({
          url: limits[bare],
          requests: () => [{ method: 'GET', path: `/${answer}` }],
          until: { seconds: SECONDS },
        }),
    };
    yield ratioFigure(
      `polls ${name}, ${fleet}`,
      { ...(await sideBySide(measure)), against },
      {
        atLeast: door === 'express' ? 0.9 : 0.4,
      },
    );
  }
}

/** Each report is answered after its commit. */
export async function* measureReports(
  deployments: Deployments,
  doors: Doors,
  limits: Limits,
): AsyncGenerator<Figure> {
  for (const part of PARTS) {
    const id = deployments.get(part) ?? '';
    let next = part.first;
    for (const { door, bare, name, against } of DOORS) {
      const measure = {
        product: () => {
          const requests = reportsOf(id, next, REPORTING_PER_CONNECTION);
          next += CONNECTIONS * REPORTING_PER_CONNECTION;
          const until = { requests: reportsIn(REPORTING_PER_CONNECTION) };
          return load({ url: doors[door], requests, until });
        },
        limit: () =>
          load({
            url: limits[bare],
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
        { ...(await sideBySide(measure)), against },
        { atLeast: door === 'express' ? 0.8 : 0.25 },
      );
    }
  }
}

/** Rounds of both in turn, so that what else the machine does strikes both alike. */
async function sideBySide(measure: {
  product: () => Promise<{ perSecond: number; refused: Record<string, number | undefined> }>;
  limit: () => Promise<{ perSecond: number }>;
}): Promise<{ value: number; unit: string; limit: number }> {
  const rounds: { value: number; limit: number }[] = [];
  await measure.limit();
  for (let round = 0; round < ROUNDS; round += 1) {
    const { perSecond: limit } = await measure.limit();
    const { perSecond: value, refused } = await measure.product();
    if (Object.keys(refused).length > 0) {
      throw new Error(`refused requests: ${JSON.stringify(refused)}`);
    }
    rounds.push({ value, limit });
  }
  const ratio = median(rounds.map(({ value, limit }) => value / limit));
  const value = median(rounds.map((round) => round.value));
  return { value, unit: '/s', limit: value / ratio };
}
