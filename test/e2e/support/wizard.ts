import type { Page } from 'playwright-core';
import { PAGE_ROOT } from './ops-center.ts';
import { CHECKSUM } from './rollout.ts';

/** Entries of the wizard, by the field names of the quick reference. */
export interface WizardEntries {
  name: string;
  version: string;
  strategy: 'Manual' | 'Immediate' | 'Canary' | 'Rolling';
  canaryPercentage?: number;
  deviceType?: string;
  operator?: string;
  currentVersion?: string;
  onlineOnly?: boolean;
  /** Names of the devices to pick by hand. */
  pick?: string[];
  packageUrl?: string;
  checksum?: string;
  releaseNotes?: string;
}

export async function basicInfo(page: Page, entries: WizardEntries): Promise<void> {
  await page.getByLabel('Deployment Name').fill(entries.name);
  await page.getByLabel('Target Version').fill(entries.version);
  await page.getByRole('radio', { name: new RegExp(`^${entries.strategy}`) }).check();
  if (entries.canaryPercentage !== undefined) {
    await page.getByLabel('Canary Percentage').fill(String(entries.canaryPercentage));
  }
}

export async function targetDevices(page: Page, entries: WizardEntries): Promise<void> {
  if (entries.pick) {
    await page.getByRole('radio', { name: 'Pick by hand' }).check();
    for (const name of entries.pick) {
      await page.getByLabel('Search devices').fill(name);
      await page.getByRole('checkbox', { name: `Pick ${name}` }).check();
    }
    return;
  }
  if (entries.deviceType !== undefined) {
    await page.getByLabel('Device Type').fill(entries.deviceType);
  }
  if (entries.operator !== undefined) {
    await choose(page, 'Version Operator', new RegExp(`^${escape(entries.operator)} `));
  }
  if (entries.currentVersion !== undefined) {
    await page.getByLabel('Current Version').fill(entries.currentVersion);
  }
  if (entries.onlineOnly) await choose(page, 'Device Status', 'Online only');
}

export async function updatePackage(page: Page, entries: WizardEntries): Promise<void> {
  const url = entries.packageUrl ?? `https://cdn.example.com/updates/${entries.version}.tar.gz`;
  await page.getByLabel('Update Package URL').fill(url);
  await page.getByLabel('SHA256 Checksum').fill(entries.checksum ?? CHECKSUM);
  await page.getByLabel('Release Notes').fill(entries.releaseNotes ?? 'Bug fixes');
}

export async function next(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Next', exact: true }).click();
}

/** Opens the wizard from the list, and fills it in up to the review. */
export async function reviewByWizard(page: Page, entries: WizardEntries): Promise<void> {
  await page.getByRole('link', { name: 'New Deployment' }).click();
  await basicInfo(page, entries);
  await next(page);
  await targetDevices(page, entries);
  await next(page);
  await updatePackage(page, entries);
  await next(page);
}

/**
 * Creates a deployment from the list, through all four steps.
 *
 * @returns its id
 */
export async function createByWizard(page: Page, entries: WizardEntries): Promise<string> {
  await reviewByWizard(page, entries);
  await page.getByRole('button', { name: 'Create Deployment' }).click();
  await page.waitForURL(new RegExp(`${PAGE_ROOT}/[0-9a-f-]{36}$`));
  return page.url().split('/').at(-1) ?? '';
}

async function choose(page: Page, label: string, option: string | RegExp): Promise<void> {
  await page.getByRole('combobox', { name: label }).press('Enter');
  await page.getByRole('option', { name: option }).click();
}

const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
