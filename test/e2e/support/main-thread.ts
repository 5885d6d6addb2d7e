import type { Page } from 'playwright-core';

/** Starts measuring. The returned function resolves with the main thread's processor time since then, in ms. */
export async function mainThreadWork(page: Page): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const seconds = async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0;
  };
  const before = await seconds();
  return async () => ((await seconds()) - before) * 1_000;
}
