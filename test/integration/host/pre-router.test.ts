import type { IncomingMessage, ServerResponse } from 'node:http';

import { expect } from 'chai';

import { ActiveRequests } from '../../../dev/host/active-requests.ts';
import { AheadPoint } from '../../../dev/host/pre-router.ts';

describe('listeners ahead of Express', () => {
  const response = { once: () => undefined } as unknown as ServerResponse;
  let point: AheadPoint;
  let asked: string[];

  beforeEach(() => {
    point = new AheadPoint('/api/v1/ota');
    asked = [];
  });

  function listen(name: string, takes: boolean) {
    return point.add((path) => {
      asked.push(`${name} ${path}`);
      return takes;
    });
  }

  const take = (url: string, active = new ActiveRequests()) =>
    point.take({ url } as IncomingMessage, response, active);

  it('are asked about what is below their prefix, in the order they came', () => {
    listen('first', false);
    listen('second', true);
    listen('third', true);
    expect(take('/api/v1/ota/check-update?a=b')).to.equal(true);
    expect(take('/api/v1/admin/ota')).to.equal(false);
    expect(asked).to.deep.equal(['first /check-update?a=b', 'second /check-update?a=b']);
  });

  it('leave to Express what none of them takes, and everything once they are gone', () => {
    const withdraw = listen('only', true);
    withdraw();
    withdraw();
    listen('other', false);
    expect(take('/api/v1/ota/check-update')).to.equal(false);
    expect(asked).to.deep.equal(['other /check-update']);
  });

  it('are not asked by a host that is stopping', async () => {
    listen('only', true);
    const active = new ActiveRequests();
    await active.drain(1);
    expect(take('/api/v1/ota/check-update', active)).to.equal(false);
    expect(asked).to.deep.equal([]);
  });
});
