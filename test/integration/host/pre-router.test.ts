import type { IncomingMessage, ServerResponse } from 'node:http';

import { expect } from 'chai';

import { ActiveRequests } from '../../../dev/host/active-requests.ts';
import { PreRouter } from '../../../dev/host/pre-router.ts';

describe('the pre-router', () => {
  const response = { once: () => undefined } as unknown as ServerResponse;
  let preRouter: PreRouter;
  let calls: string[];

  beforeEach(() => {
    preRouter = new PreRouter('/api/v1/ota');
    calls = [];
  });

  function addHandler(name: string, handles: boolean) {
    return preRouter.add((path) => {
      calls.push(`${name} ${path}`);
      return handles;
    });
  }

  const handle = (url: string, active = new ActiveRequests()) =>
    preRouter.handle({ url } as IncomingMessage, response, active);

  it('calls handlers for requests below its prefix, in the order they were added', () => {
    addHandler('first', false);
    addHandler('second', true);
    addHandler('third', true);
    expect(handle('/api/v1/ota/check-update?a=b')).to.equal(true);
    expect(handle('/api/v1/admin/ota')).to.equal(false);
    expect(calls).to.deep.equal(['first /check-update?a=b', 'second /check-update?a=b']);
  });

  it('leaves requests to Express if no handler takes them or the handler was removed', () => {
    const remove = addHandler('only', true);
    remove();
    remove();
    addHandler('other', false);
    expect(handle('/api/v1/ota/check-update')).to.equal(false);
    expect(calls).to.deep.equal(['other /check-update']);
  });

  it('calls no handler while the host is stopping', async () => {
    addHandler('only', true);
    const active = new ActiveRequests();
    await active.drain(1);
    expect(handle('/api/v1/ota/check-update', active)).to.equal(false);
    expect(calls).to.deep.equal([]);
  });
});
