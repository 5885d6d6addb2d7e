import type { Page } from 'playwright-core';

/** Begins to count; the answer tells the processor time of the page's main thread since then, in ms. */
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
