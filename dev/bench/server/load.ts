/** Load over a number of connections, each of which sends its next request when it has its answer. */
import autocannon, { type Client, type Request } from 'autocannon';

import { quantile } from '../median.ts';

export interface LoadSettings {
  url: string;
  /** What each connection sends, in this order, from the start again when it is through. */
  requests: (connection: number) => readonly Request[];
  /** Default 64. */
  connections?: number;
  /** How long, or how many requests in all. */
  until: { seconds: number } | { requests: number };
}

export interface LoadResult {
  perSecond: number;
  /** Answers with 2xx. */
  takenPerSecond: number;
  takenP99Ms: number;
  /** Answers other than 2xx, by status. */
  refused: Record<string, number | undefined>;
}

export const CONNECTIONS = 64;

/** @throws Error when connections broke or nothing was answered in time */
export async function load(settings: LoadSettings): Promise<LoadResult> {
  const { url, requests, until, connections = CONNECTIONS } = settings;
  let connection = 0;
  const taken: number[] = [];
  // Autocannon itself ends with a whole second.
  let last = Number.NaN;
  const begin = performance.now();
  const result = await autocannon({
    url,
    connections,
    ...('seconds' in until ? { duration: until.seconds } : { amount: until.requests }),
    setupClient(client: Client) {
      client.setRequests([...requests(connection)]);
      client.on('response', (status, _bytes, ms) => {
        last = performance.now();
        if (status < 300) taken.push(ms);
      });
      connection += 1;
    },
  });
  const seconds = (last - begin) / 1_000;
  if (result.errors > 0 || result.timeouts > 0) {
    throw new Error(
      `${url}: ${result.errors} requests failed, ${result.timeouts} were not answered`,
    );
  }
  const refused = Object.entries(result.statusCodeStats ?? {})
    .filter(([status]) => !status.startsWith('2'))
    .map(([status, { count }]) => [status, count] as const);
  return {
    perSecond: (result['2xx'] + result.non2xx) / seconds,
    takenPerSecond: taken.length / seconds,
    takenP99Ms: quantile(taken, 0.99),
    refused: Object.fromEntries(refused),
  };
}
