import { expect } from 'chai';

import {
  judge,
  tokensToRecord,
  type DeviceStanding,
  type RememberedRequest,
} from '../../../../backend/server/devices/enrolment-rule.ts';

const DEVICE: DeviceStanding = {
  deviceId: 'device',
  organizationId: 'organization',
  hardwareId: 'hardware',
  window: 'registration',
  enrolment: null,
  requests: [],
};

const request = (tokenHash: string, change: Partial<RememberedRequest> = {}) => ({
  tokenHash,
  isRecent: false,
  isReplaceable: false,
  isDismissed: false,
  ...change,
});

describe('enrolment: an unknown token', () => {
  const enrolled = { tokenHash: 'mine', hardwareId: 'hardware' };
  const dismissed = [request('mine', { isDismissed: true, isReplaceable: true })];
  for (const [what, change, verdict] of [
    ['enrols while the window after the registration is open', {}, 'enrol'],
    ['enrols while the organization is open', { window: 'organization' }, 'enrol'],
    ['is refused after the window', { window: null }, 'window_closed'],
    ['is refused while it is dismissed', { requests: dismissed }, 'window_closed'],
    ['is accepted if it has just been enrolled', { enrolment: enrolled }, 'enrolled'],
    [
      'is refused for a device with another token',
      { enrolment: { ...enrolled, tokenHash: 'other' } },
      'other_token',
    ],
    [
      'is refused for a device with another hardware id',
      { enrolment: { ...enrolled, hardwareId: 'other' } },
      'hardware_changed',
    ],
    [
      'is refused for a device whose token was revoked',
      { enrolment: { ...enrolled, tokenHash: null } },
      'window_closed',
    ],
  ] as const) {
    it(what, () => {
      expect(judge({ ...DEVICE, ...change }, 'mine')).to.equal(verdict);
    });
  }
});

describe('enrolment: refused tokens', () => {
  const five = ['a', 'b', 'c', 'd', 'e'];

  for (const [what, requests, refused, recorded] of [
    ['are recorded up to five per device', [], [...five, 'f'], five],
    ['are recorded once', [], ['a', 'a'], ['a']],
    ['are not recorded again within a minute', [request('a', { isRecent: true })], ['a'], []],
    ['are recorded again after a minute', [request('a')], ['a'], ['a']],
    [
      'are not recorded while they are dismissed',
      [request('a', { isDismissed: true, isReplaceable: true })],
      ['a'],
      [],
    ],
    [
      'are not recorded while five others are still trying',
      five.map((hash) => request(hash)),
      ['f'],
      [],
    ],
    [
      'take the place of one that has not been seen for long',
      five.map((hash) => request(hash, { isReplaceable: hash === 'c' })),
      ['f', 'g'],
      ['f'],
    ],
    [
      'do not take the place of one that is seen again',
      five.map((hash) => request(hash, { isReplaceable: hash === 'c' })),
      ['f', 'c'],
      ['c'],
    ],
    [
      'take the place of one that is dismissed',
      five.map((hash) => request(hash, { isReplaceable: hash === 'c', isDismissed: hash === 'c' })),
      ['c', 'f'],
      ['f'],
    ],
  ] as const) {
    it(what, () => {
      expect(tokensToRecord(requests, refused)).to.deep.equal(recorded);
    });
  }
});
