/**
 * Runs `work` for every item, at most `limit` at a time; failures do not stop the others.
 *
 * @param onProgress receives the number of items that are done, failed ones included
 * @returns how many items succeeded and failed
 */
export async function forEachLimited<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<unknown>,
  onProgress: (done: number) => void,
): Promise<{ succeeded: number; failed: number }> {
  let next = 0;
  let succeeded = 0;
  let failed = 0;
  const worker = async () => {
    for (;;) {
      const item = items[next++];
      if (item === undefined) return;
      try {
        await work(item);
        succeeded += 1;
      } catch {
        failed += 1;
      }
      onProgress(succeeded + failed);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return { succeeded, failed };
}
