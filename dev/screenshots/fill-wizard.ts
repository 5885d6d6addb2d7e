/** Fills in the wizard up to the step that a view shows. */
import type { Page } from 'playwright-core';

export async function basicInfo(page: Page): Promise<void> {
  await page.getByLabel('Deployment Name').fill('Firmware Update v2.2.0');
  await page.getByLabel('Target Version').fill('v2.2.0');
  await page.getByRole('radio', { name: /^Canary/ }).check();
  await page.getByLabel('Canary Percentage').fill('20');
  await visible(page, 'after you expand');
  await previewed(page);
}

export async function invalidRolling(page: Page): Promise<void> {
  await page.getByLabel('Deployment Name').fill('Firmware Update v2.2.0');
  await page.getByRole('radio', { name: /^Rolling/ }).check();
  await page.getByRole('radio', { name: 'Number of devices' }).check();
  await page.getByLabel('Batch Size').fill('25');
  await page.getByText('Safety and schedule').click();
  await page.locator('[data-field="failure_threshold_percent"] input').first().fill('150');
  await next(page);
  await visible(page, 'Target Version is required.');
  await previewed(page);
}

export async function targetDevices(page: Page): Promise<void> {
  await basicInfo(page);
  await next(page);
  await page.getByLabel('Device Type').fill('raspberry_pi');
  await page.getByLabel('Current Version').fill('v2.2.0');
  await page.keyboard.press('Tab');
  await visible(page, '36 after you expand');
  await previewed(page);
}

export async function notComparable(page: Page): Promise<void> {
  await basicInfo(page);
  await next(page);
  await page.getByRole('combobox', { name: 'Version Operator' }).press('Enter');
  await page.getByRole('option', { name: /^< / }).click();
  await page.getByLabel('Current Version').fill('v3.2.0');
  await visible(page, 'cannot be compared');
  await previewed(page);
}

export async function noDevice(page: Page): Promise<void> {
  await basicInfo(page);
  await next(page);
  await page.getByLabel('Device Type').fill('toaster');
  await visible(page, 'Relax a filter');
  await previewed(page);
}

export async function pickDevices(page: Page): Promise<void> {
  await basicInfo(page);
  await page.getByRole('radio', { name: /^Manual/ }).check();
  await next(page);
  await page.getByRole('radio', { name: 'Pick by hand' }).check();
  await page.getByLabel('Search devices').fill('gateway-00');
  for (const name of ['gateway-002', 'gateway-003', 'gateway-005']) {
    await page.getByRole('checkbox', { name: `Pick ${name}` }).check();
  }
  await visible(page, 'All 3 devices when you start');
  await previewed(page);
}

export async function updatePackage(page: Page): Promise<void> {
  await targetDevices(page);
  await next(page);
  await page.getByLabel('Update Package URL').fill('https://cdn.example.com/updates/v2.2.0.tar.gz');
  await page.getByLabel('SHA256 Checksum').fill('5891b5b522d5df086d0ff0b110fbd9d2'.repeat(2));
  await page.getByLabel('Release Notes').fill('Bug fixes and performance improvements');
}

export async function invalidPackage(page: Page): Promise<void> {
  await targetDevices(page);
  await next(page);
  await page.getByLabel('Update Package URL').fill('http://cdn.example.com/updates/v2.2.0.tar.gz');
  await page.getByLabel('SHA256 Checksum').fill('abc123');
  await next(page);
  await visible(page, 'this has 6');
}

export async function review(page: Page): Promise<void> {
  await updatePackage(page);
  await next(page);
  await visible(page, 'What will happen');
  await visible(page, 'would not come back by themselves');
}

export async function discard(page: Page): Promise<void> {
  await targetDevices(page);
  await page.getByRole('button', { name: 'Discard draft' }).click();
  await visible(page, 'Discard this draft?');
}

const next = (page: Page) => page.getByRole('button', { name: 'Next', exact: true }).click();
const visible = (page: Page, text: string) => page.getByText(text).first().waitFor();
/** Waits for the preview of the last change. */
const previewed = (page: Page) =>
  page.getByRole('complementary').and(page.locator('[aria-busy="false"]')).waitFor();
