/** The views of the page that are captured and tested, and how to reach them. */
import type { Page } from 'playwright-core';
import type { Scenes } from './scenes.ts';
import * as wizard from './fill-wizard.ts';
import { blockStreams, goOffline, hang, respondWith, UNAVAILABLE } from './network-faults.ts';

export interface View {
  name: string;
  /** Path of the page; opened after `before` and before `prepare`. */
  path: string;
  /** Sets up faults or mock responses. */
  before?: (page: Page) => Promise<void>;
  /** Brings the page to the state to capture, and waits for it. */
  prepare: (page: Page) => Promise<void>;
  /** Capture the window only, because dialogs and drawers do not cover the whole page. */
  windowOnly?: boolean;
}

const ROOT = '/admin/edge/ota';
const NEW = `${ROOT}/new`;

export function viewsOf(scenes: Scenes): View[] {
  return [
    ...listViews(),
    ...detailViews(scenes),
    ...dialogViews(scenes),
    ...deviceViews(scenes),
    ...wizardViews(),
  ];
}

function listViews(): View[] {
  const listed = (page: Page) => visible(page, 'Firmware Update v2.1.0');
  return [
    { name: 'list', path: ROOT, prepare: listed },
    {
      name: 'list-no-match',
      path: `${ROOT}?search=nothing+like+that`,
      prepare: (page) => visible(page, 'No deployment matches'),
    },
    {
      name: 'list-empty',
      path: ROOT,
      before: async (page) => {
        await respondWith(page, '/deployments?**', {
          json: {
            deployments: [],
            pagination: { page: 1, page_size: 20, total_count: 0, total_pages: 0 },
          },
        });
        await respondWith(page, '/metrics', {
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
        await visible(page, 'No deployments yet');
        await visible(page, 'No devices are registered yet.');
      },
    },
    {
      name: 'list-loading',
      path: ROOT,
      before: (page) => hang(page, '/{deployments?**,metrics}'),
      prepare: (page) => page.locator('.ota-skeleton').first().waitFor(),
    },
    {
      name: 'list-error',
      path: ROOT,
      before: (page) => respondWith(page, '/{deployments?**,metrics}', UNAVAILABLE),
      prepare: (page) => visible(page, 'Try again'),
    },
    {
      name: 'list-connection-lost',
      path: ROOT,
      before: (page) => blockStreams(page),
      prepare: async (page) => {
        await listed(page);
        await goOffline(page);
        await page.getByText('Connection lost', { exact: true }).waitFor();
      },
    },
    {
      name: 'list-pause',
      path: ROOT,
      windowOnly: true,
      prepare: async (page) => {
        await page.getByRole('button', { name: 'Pause Jetson vision stack 3.2' }).click();
        await visible(page, 'until you resume');
      },
    },
    {
      name: 'list-signed-out',
      path: ROOT,
      prepare: async (page) => {
        await listed(page);
        await respondWith(page, '/**', {
          status: 401,
          json: { type: 'about:blank', title: 'Unauthorized', status: 401, detail: '', code: '' },
        });
        await page.getByRole('button', { name: 'Failed', exact: true }).click();
        await visible(page, 'You are signed out');
      },
    },
  ];
}

/** The detail page in every state of a deployment, for every strategy. */
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
      name: 'detail-rebooting',
      path: `${ROOT}/${detail('rolling')}?status=verifying`,
      // The row has the text twice, for wide and for narrow windows.
      prepare: (page) => page.getByText('Rebooting').filter({ visible: true }).first().waitFor(),
    },
    {
      name: 'detail-rebooting-device',
      path: `${ROOT}/${detail('rolling')}?status=verifying`,
      windowOnly: true,
      prepare: async (page) => {
        await page.getByRole('button', { name: `Details of ${scenes.rebootingDevice}` }).click();
        await visible(page, 'Protected by');
      },
    },
    {
      name: 'detail-pending',
      path: `${ROOT}/${scenes.pending.deployment_id}`,
      windowOnly: true,
      prepare: rows,
    },
    {
      name: 'detail-paused',
      path: `${ROOT}/${scenes.paused.deployment_id}?status=failed`,
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
      prepare: (page) => visible(page, 'No device matches'),
    },
    {
      name: 'detail-loading',
      path: `${ROOT}/${detail('canary')}`,
      windowOnly: true,
      before: (page) => hang(page, '/deployments/*'),
      prepare: (page) => page.locator('.ota-skeleton').first().waitFor(),
    },
    {
      name: 'detail-error',
      path: `${ROOT}/${detail('canary')}`,
      windowOnly: true,
      before: (page) => respondWith(page, '/deployments/*', UNAVAILABLE),
      prepare: (page) => visible(page, 'Try again'),
    },
    {
      name: 'detail-not-found',
      path: `${ROOT}/00000000-0000-4000-8000-000000000000`,
      windowOnly: true,
      prepare: (page) => visible(page, 'Deployment not found'),
    },
  ];
}

/** Dialogs, drawers and tabs of the detail page. */
function dialogViews(scenes: Scenes): View[] {
  const canary = `${ROOT}/${scenes.canary.deployment_id}`;
  const openDevice = async (page: Page) => {
    await page.getByRole('button', { name: `Details of ${scenes.failedDevice}` }).click();
    await visible(page, 'Attempt 1');
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
        await visible(page, 'This affects 1 device.');
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
        await visible(page, 'Releases the update to 36 more devices.');
      },
    },
    {
      name: 'detail-cancel-failed',
      path: canary,
      windowOnly: true,
      prepare: async (page) => {
        await page.getByRole('button', { name: 'Cancel', exact: true }).click();
        await respondWith(page, '/deployments/*/cancel', UNAVAILABLE);
        await page.getByRole('dialog').locator('[data-confirm]:not([disabled])').click();
        await visible(page, 'Cancel failed');
      },
    },
    {
      name: 'detail-timeline',
      path: `${ROOT}/${scenes.rolling.deployment_id}?tab=timeline`,
      prepare: (page) => visible(page, 'Deployment created'),
    },
    {
      name: 'detail-settings',
      path: `${canary}?tab=settings`,
      prepare: (page) => visible(page, 'Safety policy'),
    },
  ];
}

/** The page of one device. */
function deviceViews(scenes: Scenes): View[] {
  const pageOf = (id: string) => `${ROOT}/devices/${id}`;
  const path = pageOf(scenes.device.id);
  const heading = (page: Page) => page.getByRole('heading', { name: scenes.device.name }).waitFor();
  return [
    { name: 'device-waiting', path, prepare: heading },
    {
      name: 'device-history',
      path,
      prepare: async (page) => {
        await page.getByRole('button', { name: 'Details of Pump controller 1.2.0' }).click();
        await visible(page, 'No space left on device');
      },
    },
    {
      name: 'device-retry',
      path,
      windowOnly: true,
      prepare: async (page) => {
        await page.getByRole('button', { name: 'Details of Pump controller 1.2.0' }).click();
        await page.getByRole('button', { name: 'Retry', exact: true }).click();
        await page.getByRole('dialog').locator('[data-confirm]:not([disabled])').waitFor();
      },
    },
    {
      name: 'device-idle',
      path: pageOf(scenes.idleDevice.id),
      windowOnly: true,
      prepare: (page) => visible(page, 'Nothing to do'),
    },
    {
      name: 'device-removed',
      path: pageOf(scenes.removedDevice.id),
      windowOnly: true,
      prepare: (page) => visible(page, 'not in your organization any more'),
    },
    {
      name: 'device-loading',
      path,
      windowOnly: true,
      before: (page) => hang(page, '/devices/**'),
      prepare: (page) => page.locator('.ota-skeleton').first().waitFor(),
    },
    {
      name: 'device-error',
      path,
      windowOnly: true,
      before: (page) => respondWith(page, '/devices/**', UNAVAILABLE),
      prepare: (page) => visible(page, 'Try again'),
    },
    {
      name: 'device-not-found',
      path: pageOf('00000000-0000-4000-8000-000000000000'),
      windowOnly: true,
      prepare: (page) => visible(page, 'Device not found'),
    },
  ];
}

function wizardViews(): View[] {
  return [
    { name: 'wizard-1-basic', path: NEW, prepare: wizard.basicInfo },
    { name: 'wizard-1-invalid', path: NEW, prepare: wizard.invalidRolling },
    { name: 'wizard-2-devices', path: NEW, prepare: wizard.targetDevices },
    { name: 'wizard-2-not-comparable', path: NEW, prepare: wizard.notComparable },
    { name: 'wizard-2-no-match', path: NEW, prepare: wizard.noDevice },
    { name: 'wizard-2-picker', path: NEW, prepare: wizard.pickDevices },
    { name: 'wizard-3-package', path: NEW, prepare: wizard.updatePackage },
    { name: 'wizard-3-invalid', path: NEW, prepare: wizard.invalidPackage },
    { name: 'wizard-4-review', path: NEW, prepare: wizard.review },
    { name: 'wizard-discard', path: NEW, windowOnly: true, prepare: wizard.discard },
  ];
}

const visible = (page: Page, text: string) => page.getByText(text).first().waitFor();
