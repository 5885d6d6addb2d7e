import type { IncomingMessage } from 'node:http';

import { expect } from 'chai';

import { clientAddressFinder } from '../../../../backend/server/devices/client-address.ts';
import { claimedDeviceId, deviceToken } from '../../../../backend/server/devices/device-claim.ts';
import { devicesSection } from '../../../../backend/server/devices/enrolment-settings.ts';

const ID = '0b7f0a9e-4a55-4a0e-9c44-5c1c3d0e9a01';
const TOKEN = 'a3'.repeat(32);

describe('the token of a device request', () => {
  const tokenOf = (authorization: string | undefined) =>
    deviceToken({ headers: { authorization } } as IncomingMessage);

  it('is one that Ops-Center could have issued', () => {
    expect(tokenOf(`Bearer ${TOKEN}`)).to.equal(TOKEN);
  });

  for (const header of [
    undefined,
    '',
    TOKEN,
    'Bearer null',
    'Bearer None',
    `Bearer ${TOKEN}0`,
    `Bearer ${TOKEN.slice(1)}`,
    `Bearer ${'g'.repeat(64)}`,
  ]) {
    it(`is not taken from ${JSON.stringify(header)}`, () => {
      expect(tokenOf(header)).to.equal(null);
    });
  }
});

describe('the device id of a device request', () => {
  const idOf = (url: string) => claimedDeviceId({ url } as IncomingMessage);

  it('is the parameter device_id', () => {
    expect(idOf(`/check-update?current_version=v1&device_id=${ID}`)).to.equal(ID);
  });

  for (const url of [
    '/check-update',
    '/check-update?device_id=',
    `/check-update?device_id=${ID.toUpperCase()}`,
    `/check-update?device_id=${ID}&device_id=${ID}`,
    `/check-update?device_id=${ID}%00`,
    `/check-update?device_id=hw-1`,
  ]) {
    it(`is not taken from ${url}`, () => {
      expect(idOf(url)).to.equal(null);
    });
  }
});

describe('the address of a client', () => {
  const addressOf = (trusted: string[], peer: string | undefined, forwarded?: string) =>
    clientAddressFinder(trusted)({
      socket: { remoteAddress: peer },
      headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
    } as unknown as IncomingMessage);

  for (const [what, trusted, peer, forwarded, address] of [
    ['is the peer', [], '203.0.113.9', undefined, '203.0.113.9'],
    [
      'is not what an untrusted peer writes',
      ['10.0.0.0/8'],
      '203.0.113.9',
      '1.2.3.4',
      '203.0.113.9',
    ],
    ['is what a trusted proxy writes', ['10.0.0.0/8'], '10.1.1.1', '203.0.113.9', '203.0.113.9'],
    [
      'is the last one that a trusted proxy saw',
      ['10.0.0.0/8'],
      '10.1.1.1',
      '1.2.3.4, 203.0.113.9, 10.2.2.2',
      '203.0.113.9',
    ],
    ['is the proxy if it forwards something else', ['loopback'], '127.0.0.1', '<b>', '127.0.0.1'],
    ['is written as IPv4 if it is', ['loopback'], '::ffff:203.0.113.9', undefined, '203.0.113.9'],
    ['may be IPv6', ['::1'], '::1', '2001:db8::7', '2001:db8::7'],
    ['is unknown when the client is gone', ['loopback'], undefined, '1.2.3.4', null],
  ] as const) {
    it(what, () => {
      expect(addressOf([...trusted], peer, forwarded)).to.equal(address);
    });
  }

  it('needs valid proxies', () => {
    expect(() => clientAddressFinder(['my-proxy'])).to.throw(TypeError);
  });
});

describe('the section "devices" of the settings', () => {
  const read = (section: unknown) => devicesSection.validate(section);

  it('has a default', () => {
    expect(read(undefined).value).to.deep.equal({ hours_after_registration: 24 });
    expect(read({}).value).to.deep.equal({ hours_after_registration: 24 });
    expect(read({ hours_after_registration: 0 }).error).to.equal(undefined);
  });

  for (const section of [
    { hours_after_registration: -1 },
    { hours_after_registration: 1.5 },
    { hours_after_registration: 8_761 },
    { hours: 1 },
  ]) {
    it(`does not accept ${JSON.stringify(section)}`, () => {
      expect(read(section).error).to.be.instanceOf(Error);
    });
  }
});
