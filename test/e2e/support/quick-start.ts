/** The steps of the quick start on the page, from the list of deployments to a finished canary. */
import { expect } from 'chai';
import type { Page } from 'playwright-core';

import type { DeviceClient } from '../../../dev/fleet/device-client.ts';
import { act, counts, hasStatus } from './detail.ts';
import { completeAll, offered } from './rollout.ts';
import { basicInfo, next, targetDevices, updatePackage } from './wizard.ts';

const ENTRIES = {
  name: 'Firmware Update v2.1.0',
  version: 'v2.1.0',
  strategy: 'Canary' as const,
  canaryPercentage: 20,
  deviceType: 'raspberry_pi',
  operator: '!=',
  currentVersion: 'v2.0.0',
  onlineOnly: true,
  packageUrl: 'https://cdn.example.com/updates/v2.1.0.tar.gz',
  checksum: 'ab'.repeat(32),
  releaseNotes: 'Bug fixes and performance improvements',
};

/**
 * @param page shows the list of deployments
 * @param devices 45 Raspberry Pis that are online and run v1.9.0; among all devices, only they match
 */
export async function followQuickStart(
  page: Page,
  devices: readonly DeviceClient[],
): Promise<{ id: string; entries: typeof ENTRIES }> {
  await page.getByRole('link', { name: 'New Deployment' }).click();

  // 2. to 4. The steps of the wizard; the preview follows the filters
  await basicInfo(page, ENTRIES);
  await next(page);
  await targetDevices(page, ENTRIES);
  await page.getByText('9 devices now, 36 after you expand').first().waitFor();
  expect(await page.getByTestId('matching').innerText()).to.equal('45');
  await next(page);
  await updatePackage(page, ENTRIES);
  await next(page);

  // 5. Review and Create
  for (const shown of ['!= v2.0.0', 'Online only', '20 %', ENTRIES.packageUrl]) {
    await page.getByText(shown, { exact: true }).waitFor();
  }
  await page.getByRole('button', { name: 'Create Deployment' }).click();
  await hasStatus(page, 'Pending');
  const id = page.url().split('/').at(-1) ?? '';

  // 6. Start and monitor
  await page.getByRole('link', { name: 'All deployments' }).click();
  await page.getByRole('link', { name: ENTRIES.name, exact: true }).click();
  expect(await act(page, 'Start')).to.include('released to 9 devices now. 36 devices follow');
  await hasStatus(page, 'In progress');
  await completeAll(await offered(devices, id, 9), id);
  await page.getByText('expand to the remaining 36 devices').waitFor();
  expect(await act(page, 'Expand')).to.include('36 more devices');
  await completeAll(await offered(devices, id, 36), id);
  await hasStatus(page, 'Completed');
  await counts(page, 'Completed', 45);
  return { id, entries: ENTRIES };
}
