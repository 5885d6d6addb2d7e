/** Browser tests that measure the page against the real server while they check it. */
export const PAGE_MEASURING_TESTS = [
  // The page's own JavaScript, gzip.
  'test/e2e/bundle.test.ts',
  // From a device's report to the screen.
  'test/e2e/live.test.ts',
  // First rows and scrolling of 100,000 targets.
  'test/e2e/large-deployment.test.ts',
];
