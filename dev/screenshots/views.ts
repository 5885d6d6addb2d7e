/** What is photographed, and what has to be done before. */
import type { Page } from 'playwright-core';
import type { Scenes } from './scenes.ts';

export interface View {
  name: string;
  /** Path of the page, opened before `prepare`. */
  path: string;
  prepare?: (page: Page) => Promise<void>;
  /** Dialogs and drawers cover the window, not the whole page. */
  windowOnly?: boolean;
}

const ROOT = '/admin/edge/ota';

export function viewsOf(scenes: Scenes): View[] {
  const canary = `${ROOT}/${scenes.canary.deployment_id}`;
  const rolling = `${ROOT}/${scenes.rolling.deployment_id}`;
  return [
    { name: 'list', path: ROOT, prepare: (page) => seen(page, 'Firmware Update v2.1.0') },
    {
      name: 'list-no-match',
      path: `${ROOT}?search=nothing+like+that`,
      prepare: (page) => seen(page, 'Nothing matches'),
    },
    {
      name: 'detail-canary',
      path: canary,
      prepare: (page) => page.locator('[data-row="0"]').waitFor(),
    },
    {
      name: 'detail-rolling',
      path: rolling,
      windowOnly: true,
      prepare: (page) => page.locator('[data-row="0"]').waitFor(),
    },
    {
      name: 'detail-device',
      path: `${canary}?status=failed`,
      windowOnly: true,
      prepare: async (page) => {
        await page.getByRole('button', { name: `Details of ${scenes.failedDevice}` }).click();
        await seen(page, 'Attempt 1');
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
      name: 'detail-timeline',
      path: `${rolling}?tab=timeline`,
      prepare: (page) => seen(page, 'Deployment created'),
    },
    {
      name: 'detail-settings',
      path: `${canary}?tab=settings`,
      prepare: (page) => seen(page, 'Safety policy'),
    },
    {
      name: 'missing',
      path: `${ROOT}/00000000-0000-4000-8000-000000000000`,
      prepare: (page) => seen(page, 'No such deployment'),
    },
    { name: 'wizard-1-basic', path: `${ROOT}/new`, prepare: basicInfo },
    { name: 'wizard-2-devices', path: `${ROOT}/new`, prepare: targetDevices },
    { name: 'wizard-2-picker', path: `${ROOT}/new`, prepare: pickDevices },
    { name: 'wizard-3-package', path: `${ROOT}/new`, prepare: updatePackage },
    { name: 'wizard-3-faults', path: `${ROOT}/new`, prepare: faults },
    { name: 'wizard-4-review', path: `${ROOT}/new`, prepare: review },
  ];
}

async function basicInfo(page: Page): Promise<void> {
  await page.getByLabel('Deployment Name').fill('Firmware Update v2.2.0');
  await page.getByLabel('Target Version').fill('v2.2.0');
  await page.getByRole('radio', { name: /^Canary/ }).check();
  await page.getByLabel('Canary Percentage').fill('20');
  await seen(page, 'after you expand');
}

async function targetDevices(page: Page): Promise<void> {
  await basicInfo(page);
  await next(page);
  await page.getByLabel('Device Type').fill('raspberry_pi');
  await page.getByLabel('Current Version').fill('v2.2.0');
  await page.keyboard.press('Tab');
  await seen(page, '36 after you expand');
}

async function pickDevices(page: Page): Promise<void> {
  await basicInfo(page);
  await page.getByRole('radio', { name: /^Manual/ }).check();
  await next(page);
  await page.getByRole('radio', { name: 'Pick by hand' }).check();
  await page.getByLabel('Search devices').fill('gateway-00');
  for (const name of ['gateway-002', 'gateway-003', 'gateway-005']) {
    await page.getByRole('checkbox', { name: `Pick ${name}` }).check();
  }
  await seen(page, '3 picked');
}

async function updatePackage(page: Page): Promise<void> {
  await targetDevices(page);
  await next(page);
  await page
    .getByLabel('Update Package URL')
    .fill('https://cdn.example.com/updates/v2.2.0.tar.gz');
  await page.getByLabel('SHA256 Checksum').fill('5891b5b522d5df086d0ff0b110fbd9d2'.repeat(2));
  await page.getByLabel('Release Notes').fill('Bug fixes and performance improvements');
}

async function faults(page: Page): Promise<void> {
  await targetDevices(page);
  await next(page);
  await page.getByLabel('Update Package URL').fill('http://cdn.example.com/updates/v2.2.0.tar.gz');
  await page.getByLabel('SHA256 Checksum').fill('abc123');
  await next(page);
  await seen(page, 'this has 6');
}

async function review(page: Page): Promise<void> {
  await updatePackage(page);
  await next(page);
  await seen(page, 'What will happen');
}

const next = (page: Page) => page.getByRole('button', { name: 'Next', exact: true }).click();
const seen = (page: Page, text: string) => page.getByText(text).first().waitFor();
