/** Simulates faults between the page and its server, in the browser. */
import type { Page } from 'playwright-core';

const API = '**/api/v1/admin/ota';

export interface MockResponse {
  status?: number;
  json: object;
}

export const UNAVAILABLE: MockResponse = {
  status: 503,
  json: {
    type: 'about:blank',
    title: 'Service unavailable',
    status: 503,
    detail: 'The database is not available. Nothing was changed; try again in a moment.',
    code: 'unavailable',
  },
};

/** @param path glob pattern below the admin API, e.g. `/deployments/*` */
export async function respondWith(page: Page, path: string, response: MockResponse): Promise<void> {
  await page.route(API + path, (route) => route.fulfill({ status: 200, ...response }));
}

/** Leaves requests without a response. */
export async function hang(page: Page, path: string): Promise<void> {
  await page.route(API + path, () => undefined);
}

/** Refuses connections to the whole API from now on. */
export async function goOffline(page: Page): Promise<void> {
  await page.route(`${API}/**`, (route) => route.abort('connectionrefused'));
}

/** Refuses event streams, like a proxy that does not support them. */
export async function blockStreams(page: Page): Promise<void> {
  await page.route(`${API}/**/stream`, (route) => route.abort('connectionrefused'));
}
