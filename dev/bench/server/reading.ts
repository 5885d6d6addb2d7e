/** Measures what the page reads, for deployments of three sizes. */
import type { TargetPage } from '../../../backend/contract/admin-api.ts';
import { absoluteFigure, ratioFigure, type Figure } from '../figure.ts';
import { median, quantile } from '../median.ts';
import type { AdminApi } from './admin.ts';
import type { Deployments } from './device-api.ts';
import { LARGE, PARTS, SMALL, type Part } from './fleet.ts';

const REQUESTS = 200;
export const MAX_MS = 50;
const MAX_GROWTH = 1.5;

export async function* measureReading(
  admin: AdminApi,
  deployments: Deployments,
): AsyncGenerator<Figure> {
  const idOf = (part: Part): string => deployments.get(part) ?? '';
  const cursors = new Map<Part, string>();
  for (const part of PARTS) cursors.set(part, await cursorInside(admin, idOf(part)));

  const reads: Record<string, (part: Part, request: number) => string> = {
    'list of 20 deployments': () => '/deployments?page_size=20',
    detail: (part) => `/deployments/${idOf(part)}`,
    'a page of 100 targets': (part) =>
      `/deployments/${idOf(part)}/devices?limit=100&cursor=${cursors.get(part)}`,
    'a search among targets': (part, request) =>
      `/deployments/${idOf(part)}/devices?limit=50&search=device-${part.first + request * 31}`,
  };
  for (const [name, pathOf] of Object.entries(reads)) {
    const medians = new Map<Part, number>();
    for (const part of PARTS) {
      const times = await timesOf(admin, (request) => pathOf(part, request));
      medians.set(part, median(times));
      yield absoluteFigure(`${name}, ${part.size} targets, p99`, quantile(times, 0.99), 'ms', {
        below: MAX_MS,
      });
    }
    yield ratioFigure(
      `${name}, median at ${LARGE.size} targets`,
      {
        value: medians.get(LARGE) ?? Number.NaN,
        unit: 'ms',
        baseline: medians.get(SMALL) ?? Number.NaN,
        against: `${SMALL.size} targets`,
      },
      { below: MAX_GROWTH },
    );
  }
}

/** The cursor of the page after the first 2,500 targets. */
async function cursorInside(admin: AdminApi, id: string): Promise<string> {
  let cursor = '';
  for (let page = 0; page < 5; page += 1) {
    const query = cursor === '' ? '' : `&cursor=${cursor}`;
    const answer = await admin.get<TargetPage>(`/deployments/${id}/devices?limit=500${query}`);
    cursor = encodeURIComponent(answer.next_cursor ?? '');
  }
  return cursor;
}

/** Sends requests one after the other. Returns the duration of each in ms. */
export async function timesOf(
  admin: AdminApi,
  pathOf: (request: number) => string,
): Promise<number[]> {
  const times: number[] = [];
  for (let request = 0; request < REQUESTS; request += 1) {
    const startedAt = performance.now();
    await admin.get(pathOf(request));
    times.push(performance.now() - startedAt);
  }
  return times;
}
