import { expect } from 'chai';

import { pagePath } from '../../../backend/server/admins/page-paths.ts';

const PAGE = '/admin/edge/ota';

describe('the page to return to after sign-in', () => {
  const kept: [string, string, string][] = [
    ['', PAGE, PAGE],
    ['', `${PAGE}/deployments/7?tab=log&x=%2F`, `${PAGE}/deployments/7?tab=log&x=%2F`],
    ['/ops', `${PAGE}/devices`, `${PAGE}/devices`],
    ['/ops', `/ops${PAGE}/devices`, `${PAGE}/devices`],
    ['', `${PAGE}/a/../devices`, `${PAGE}/devices`],
    ['', `${PAGE}/devices#top`, `${PAGE}/devices`],
  ];
  for (const [basePath, next, expected] of kept) {
    it(`is ${expected} for ${next} below "${basePath}"`, () => {
      expect(pagePath(next, basePath)).to.equal(expected);
    });
  }

  const rejected: unknown[] = [
    undefined,
    ['/admin/edge/ota/devices'],
    '',
    'admin/edge/ota/devices',
    `https://evil.example${PAGE}`,
    `//evil.example${PAGE}/devices`,
    `/\\evil.example${PAGE}/devices`,
    `/\t/evil.example${PAGE}/devices`,
    `${PAGE}x`,
    `${PAGE}/../../..`,
    `${PAGE}/%2e%2e/devices`,
    '/ops-other/admin/edge/ota/devices',
    '/login',
  ];
  for (const next of rejected) {
    it(`is the start of the page for ${JSON.stringify(next)}`, () => {
      expect(pagePath(next, '/ops')).to.equal(PAGE);
    });
  }
});
