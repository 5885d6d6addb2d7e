/** What can happen between the page and its server, brought about in the browser. */
import type { Page } from 'playwright-core';

const API = '**/api/v1/admin/ota';

export interface Answer {
  status?: number;
  json: object;
}

export const UNAVAILABLE: Answer = {
  status: 503,
  json: {
    type: 'about:blank',
    title: 'Service unavailable',
    status: 503,
    detail: 'The database is away. Nothing was changed; try again in a moment.',
    code: 'unavailable',
  },
};

/** @param path of the API, as a pattern: `/deployments/*` */
export async function answerWith(page: Page, path: string, answer: Answer): Promise<void> {
  await page.route(API + path, (route) => route.fulfill({ status: 200, ...answer }));
}

/** Requests are sent and never answered. */
export async function holdBack(page: Page, path: string): Promise<void> {
  await page.route(API + path, () => undefined);
}

/** From now on nothing of the API can be reached. */
export async function cutOff(page: Page): Promise<void> {
  await page.route(`${API}/**`, (route) => route.abort('connectionrefused'));
}

/** As behind a proxy that lets no event stream through. */
export async function withoutStream(page: Page): Promise<void> {
  await page.route(`${API}/**/stream`, (route) => route.abort('connectionrefused'));
}
