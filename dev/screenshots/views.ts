/** What is photographed and checked, and what has to be done before. */
import type { Page } from 'playwright-core';
import type { Scenes } from './scenes.ts';
import { answerWith, cutOff, holdBack, UNAVAILABLE, withoutStream } from './troubles.ts';
import * as wizard from './wizard-entries.ts';

export interface View {
  name: string;
  /** Path of the page, opened between `before` and `prepare`. */
  path: string;
  /** What goes wrong on the way to the server, where that is what the view is about. */
  before?: (page: Page) => Promise<void>;
  /** Brings the page to where the picture is taken, and waits until it is there. */
  prepare: (page: Page) => Promise<void>;
  /** Dialogs and drawers cover the window, not the whole page. */
  windowOnly?: boolean;
}

const ROOT = '/admin/edge/ota';
const NEW = `${ROOT}/new`;

export function viewsOf(scenes: Scenes): View[] {
  return [...listViews(), ...detailViews(scenes), ...stepsOfDetail(scenes), ...wizardViews()];
}

function listViews(): View[] {
  const listed = (page: Page) => seen(page, 'Firmware Update v2.1.0');
  return [
    { name: 'list', path: ROOT, prepare: listed },
    {
      name: 'list-no-match',
      path: `${ROOT}?search=nothing+like+that`,
      prepare: (page) => seen(page, 'No deployment matches'),
    },
    {
      name: 'list-empty',
      path: ROOT,
      before: async (page) => {
        await answerWith(page, '/deployments?**', {
          json: {
            deployments: [],
            pagination: { page: 1, page_size: 20, total_count: 0, total_pages: 0 },
          },
        });
        await answerWith(page, '/metrics', {
          json: {
            success_rate: null,
            rollback_rate: null,
            compliance: null,
            average_duration_seconds: null,
            total_deployments: 0,
            active_deployments: 0,
            total_targets: 0,
            versions: [],
            ended_over_time: [],
          },
        });
      },
      prepare: async (page) => {
        await seen(page, 'No deployments yet');
        await seen(page, 'No devices are registered yet.');
      },
    },
    {
      name: 'list-loading',
      path: ROOT,
      before: (page) => holdBack(page, '/{deployments?**,metrics}'),
      prepare: (page) => page.locator('.ota-skeleton').first().waitFor(),
    },
    {
      name: 'list-error',
      path: ROOT,
      before: (page) => answerWith(page, '/{deployments?**,metrics}', UNAVAILABLE),
      prepare: (page) => seen(page, 'Try again'),
    },
    {
      name: 'list-lost',
      path: ROOT,
      before: (page) => withoutStream(page),
      prepare: async (page) => {
        await listed(page);
        await cutOff(page);
        await page.getByText('Connection lost', { exact: true }).waitFor();
      },
    },
    {
      name: 'list-pause',
      path: ROOT,
      windowOnly: true,
      prepare: async (page) => {
        await page.getByRole('button', { name: 'Pause Jetson vision stack 3.2' }).click();
        await seen(page, 'until you resume');
      },
    },
    {
      name: 'list-signed-out',
      path: ROOT,
      prepare: async (page) => {
        await listed(page);
        await answerWith(page, '/**', {
          status: 401,
          json: { type: 'about:blank', title: 'Unauthorized', status: 401, detail: '', code: '' },
        });
        await page.getByRole('button', { name: 'Failed', exact: true }).click();
        await seen(page, 'You are signed out');
      },
    },
  ];
}

/** The detail in every state of a deployment, by every strategy. */
function detailViews(scenes: Scenes): View[] {
  const rows = (page: Page) => page.locator('[data-row="0"]').waitFor();
  const detail = (name: keyof Scenes & ('canary' | 'rolling')) => scenes[name].deployment_id;
  return [
    { name: 'detail-canary', path: `${ROOT}/${detail('canary')}`, prepare: rows },
    {
      name: 'detail-rolling',
      path: `${ROOT}/${detail('rolling')}`,
      windowOnly: true,
      prepare: rows,
    },
    {
      name: 'detail-pending',
      path: `${ROOT}/${scenes.pending.deployment_id}`,
      windowOnly: true,
      prepare: rows,
    },
    {
      name: 'detail-stopped',
      path: `${ROOT}/${scenes.stopped.deployment_id}?status=failed`,
      prepare: rows,
    },
    {
      name: 'detail-completed',
      path: `${ROOT}/${scenes.completed.deployment_id}`,
      windowOnly: true,
      prepare: rows,
    },
    { name: 'detail-failed', path: `${ROOT}/${scenes.failed.deployment_id}`, prepare: rows },
    {
      name: 'detail-cancelled',
      path: `${ROOT}/${scenes.cancelled.deployment_id}?search=nothing`,
      prepare: (page) => seen(page, 'No device matches'),
    },
    {
      name: 'detail-loading',
      path: `${ROOT}/${detail('canary')}`,
      windowOnly: true,
      before: (page) => holdBack(page, '/deployments/*'),
      prepare: (page) => page.locator('.ota-skeleton').first().waitFor(),
    },
    {
      name: 'detail-error',
      path: `${ROOT}/${detail('canary')}`,
      windowOnly: true,
      before: (page) => answerWith(page, '/deployments/*', UNAVAILABLE),
      prepare: (page) => seen(page, 'Try again'),
    },
    {
      name: 'missing',
      path: `${ROOT}/00000000-0000-4000-8000-000000000000`,
      windowOnly: true,
      prepare: (page) => seen(page, 'Deployment not found'),
    },
  ];
}

/** What is opened from the detail. */
function stepsOfDetail(scenes: Scenes): View[] {
  const canary = `${ROOT}/${scenes.canary.deployment_id}`;
  const openDevice = async (page: Page) => {
    await page.getByRole('button', { name: `Details of ${scenes.failedDevice}` }).click();
    await seen(page, 'Attempt 1');
  };
  return [
    {
      name: 'detail-device',
      path: `${canary}?status=failed`,
      windowOnly: true,
      prepare: openDevice,
    },
    {
      name: 'detail-rollback',
      path: `${canary}?status=failed`,
      windowOnly: true,
      prepare: async (page) => {
        await openDevice(page);
        await page.getByRole('button', { name: 'Roll back', exact: true }).click();
        await seen(page, 'This affects 1 device.');
      },
    },
    {
      name: 'detail-rollback-all',
      path: canary,
      windowOnly: true,
      prepare: async (page) => {
        await page.getByRole('button', { name: 'More actions' }).click();
        await page.getByRole('menuitem', { name: 'Roll back all failed' }).click();
        await page.getByRole('dialog').locator('[data-confirm]:not([disabled])').waitFor();
      },
    },
    {
      name: 'detail-expand',
      path: canary,
      windowOnly: true,
      prepare: async (page) => {
        await page.getByRole('button', { name: 'Expand', exact: true }).click();
        await seen(page, 'Releases the update to 36 more devices.');
      },
    },
    {
      name: 'detail-cancel-refused',
      path: canary,
      windowOnly: true,
      prepare: async (page) => {
        await page.getByRole('button', { name: 'Cancel', exact: true }).click();
        await answerWith(page, '/deployments/*/cancel', UNAVAILABLE);
        await page.getByRole('dialog').locator('[data-confirm]:not([disabled])').click();
        await seen(page, 'Cancel failed');
      },
    },
    {
      name: 'detail-timeline',
      path: `${ROOT}/${scenes.rolling.deployment_id}?tab=timeline`,
      prepare: (page) => seen(page, 'Deployment created'),
    },
    {
      name: 'detail-settings',
      path: `${canary}?tab=settings`,
      prepare: (page) => seen(page, 'Safety policy'),
    },
  ];
}

function wizardViews(): View[] {
  return [
    { name: 'wizard-1-basic', path: NEW, prepare: wizard.basicInfo },
    { name: 'wizard-1-rolling', path: NEW, prepare: wizard.rollingWithFaults },
    { name: 'wizard-2-devices', path: NEW, prepare: wizard.targetDevices },
    { name: 'wizard-2-not-comparable', path: NEW, prepare: wizard.notComparable },
    { name: 'wizard-2-none', path: NEW, prepare: wizard.noDevice },
    { name: 'wizard-2-picker', path: NEW, prepare: wizard.pickDevices },
    { name: 'wizard-3-package', path: NEW, prepare: wizard.updatePackage },
    { name: 'wizard-3-faults', path: NEW, prepare: wizard.faults },
    { name: 'wizard-4-review', path: NEW, prepare: wizard.review },
    { name: 'wizard-discard', path: NEW, windowOnly: true, prepare: wizard.discard },
  ];
}

const seen = (page: Page, text: string) => page.getByText(text).first().waitFor();
