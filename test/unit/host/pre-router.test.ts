import type { IncomingMessage, ServerResponse } from 'node:http';

import { expect } from 'chai';

import { ActiveRequests } from '../../../backend/server/host/active-requests.ts';
import { PreRouter } from '../../../backend/server/host/pre-router.ts';

describe('pre-router handlers', () => {
  const response = { once: () => undefined } as unknown as ServerResponse;
  let preRouter: PreRouter;
  let called: string[];

  beforeEach(() => {
    preRouter = new PreRouter('/api/v1/ota');
    called = [];
  });

  function listen(name: string, handles: boolean) {
    return preRouter.add((path) => {
      called.push(`${name} ${path}`);
      return handles;
    });
  }

  const handle = (url: string, active = new ActiveRequests()) =>
    preRouter.handle({ url } as IncomingMessage, response, active);

  it('are called for paths below their prefix, in the order they were added', () => {
    listen('first', false);
    listen('second', true);
    listen('third', true);
    expect(handle('/api/v1/ota/check-update?a=b')).to.equal(true);
    expect(handle('/api/v1/admin/ota')).to.equal(false);
    expect(called).to.deep.equal(['first /check-update?a=b', 'second /check-update?a=b']);
  });

  it('leave a request to Express if none handles it or after they were removed', () => {
    const remove = listen('only', true);
    remove();
    remove();
    listen('other', false);
    expect(handle('/api/v1/ota/check-update')).to.equal(false);
    expect(called).to.deep.equal(['other /check-update']);
  });

  it('are not called while the host is stopping', async () => {
    listen('only', true);
    const active = new ActiveRequests();
    await active.drain(1);
    expect(handle('/api/v1/ota/check-update', active)).to.equal(false);
    expect(called).to.deep.equal([]);
  });
});
