/** Generates load over several connections. Each sends its next request when it has received a response. */
import autocannon, { type Client, type Request } from 'autocannon';

import { quantile } from '../median.ts';

export interface LoadSettings {
  url: string;
  /** Requests of each connection, sent in this order and repeated. */
  requests: (connection: number) => readonly Request[];
  /** Default 64. */
  connections?: number;
  /** Duration, or total number of requests. */
  until: { seconds: number } | { requests: number };
}

export interface LoadResult {
  /** All responses. */
  perSecond: number;
  /** Responses with 2xx. */
  admittedPerSecond: number;
  admittedP99Ms: number;
  /** Number of responses other than 2xx, by status. */
  rejected: Record<string, number | undefined>;
}

export const CONNECTIONS = 64;

/** @throws Error if connections fail or responses time out */
export async function load(settings: LoadSettings): Promise<LoadResult> {
  const { url, requests, until, connections = CONNECTIONS } = settings;
  let connection = 0;
  const admitted: number[] = [];
  // Autocannon rounds its duration up to a full second.
  let lastResponseAt = Number.NaN;
  const startedAt = performance.now();
  const result = await autocannon({
    url,
    connections,
    ...('seconds' in until ? { duration: until.seconds } : { amount: until.requests }),
    setupClient(client: Client) {
      client.setRequests([...requests(connection)]);
      client.on('response', (status, _bytes, ms) => {
        lastResponseAt = performance.now();
        if (status < 300) admitted.push(ms);
      });
      connection += 1;
    },
  });
  const seconds = (lastResponseAt - startedAt) / 1_000;
  if (result.errors > 0 || result.timeouts > 0) {
    throw new Error(`${url}: ${result.errors} requests failed, ${result.timeouts} timed out`);
  }
  const rejected = Object.entries(result.statusCodeStats ?? {})
    .filter(([status]) => !status.startsWith('2'))
    .map(([status, { count }]) => [status, count] as const);
  return {
    perSecond: (result['2xx'] + result.non2xx) / seconds,
    admittedPerSecond: admitted.length / seconds,
    admittedP99Ms: quantile(admitted, 0.99),
    rejected: Object.fromEntries(rejected),
  };
}
