import { expect } from 'chai';

import { withoutBasePath } from '../../../backend/server/host/base-path.ts';

describe('the base path of a host', () => {
  const CASES: [url: string, basePath: string, expected: string][] = [
    ['/api/v1/ota/check-update?a=1', '', '/api/v1/ota/check-update?a=1'],
    ['/ops/api/v1/ota', '/ops', '/api/v1/ota'],
    ['/api/v1/ota', '/ops', '/api/v1/ota'],
    ['/ops', '/ops', '/'],
    ['/ops?next=1', '/ops', '/?next=1'],
    ['/ops/', '/ops', '/'],
    ['/opsi/api', '/ops', '/opsi/api'],
    ['/a/b/c', '/a/b', '/c'],
    // Removed once only: the rest is the path of the host.
    ['/ops/ops/x', '/ops', '/ops/x'],
  ];

  for (const [url, basePath, expected] of CASES) {
    it(`${url} below "${basePath}" is ${expected}`, () => {
      expect(withoutBasePath(url, basePath)).to.equal(expected);
    });
  }
});
