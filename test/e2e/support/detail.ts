import { expect } from 'chai';
import type { Locator, Page } from 'playwright-core';

/** The button that confirms the open dialog; types the number of devices first if the dialog requires it. */
export async function confirmButton(page: Page): Promise<Locator> {
  const dialog = page.getByRole('dialog');
  const ready = dialog.locator('[data-confirm]:not([disabled])');
  const count = dialog.getByLabel('type the number of devices');
  await ready.or(count).first().waitFor();
  if (await count.isVisible()) {
    const label = await dialog.locator('label', { has: page.locator('input') }).innerText();
    await count.fill(/[\d,]+$/.exec(label.trim())?.[0] ?? '');
  }
  await ready.waitFor();
  return ready;
}

/**
 * Performs an action on the open deployment and confirms it.
 *
 * @returns the text of the dialog
 */
export async function act(page: Page, action: string): Promise<string> {
  await page.getByRole('button', { name: action, exact: true }).click();
  const dialog = page.getByRole('dialog');
  const confirm = await confirmButton(page);
  const question = await dialog.innerText();
  await confirm.click();
  await dialog.waitFor({ state: 'hidden' });
  return question;
}

/** Waits until the deployment has this status. */
export async function hasStatus(page: Page, status: string): Promise<void> {
  await page.locator('header').getByText(status, { exact: true }).first().waitFor();
}

/** Waits until the legend shows this number of devices for a status. */
export async function counts(page: Page, status: string, count: number): Promise<void> {
  await page.getByRole('button', { name: new RegExp(`^${count}\\s*${status}$`) }).waitFor();
}

/** Expects that the page does not scroll sideways. */
export async function expectNoSidewaysScroll(page: Page, view: string): Promise<void> {
  const width = Number(await page.evaluate('document.documentElement.scrollWidth'));
  expect(width, `width of ${view}`).to.be.at.most(page.viewportSize()?.width ?? 0);
}
