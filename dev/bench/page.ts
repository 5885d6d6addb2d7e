/** Browser tests that also measure the page, with the real server. */
export const PAGE_MEASURING_TESTS = [
  // Size of the page's JavaScript, gzipped.
  'test/e2e/bundle.test.ts',
  // Time from a device's report until the page shows it.
  'test/e2e/live.test.ts',
  // Loading and scrolling 100,000 targets.
  'test/e2e/large-deployment.test.ts',
];
